/** Shared by all pages: a log of sent and received data, and a socket that logs its events. */

const log = document.querySelector('#log');

/** @param kind 'sent', 'received', ...: the class of the line, and its prefix */
export function show(kind, text) {
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  log.append(line);
}

/** Opens a socket to this server. The page itself shows what it receives. */
export function connect(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => show('open', url.href));
  socket.addEventListener('error', () => show('error', 'no connection: a browser does not tell a page why'));
  socket.addEventListener('close', ({ code, reason, wasClean }) => {
    show('closed', `${code} ${reason || '(no reason)'}, ${wasClean ? 'clean' : 'not clean'}`);
  });
  return socket;
}

/** @param text what to show in the log if the data is not text */
export function send(socket, data, text = data) {
  if (socket.readyState !== WebSocket.OPEN) {
    const remedy = document.querySelector('#connect') ? 'press Connect' : 'reload the page';
    show('not sent', `the connection is not open: ${remedy} for another one`);
    return;
  }
  socket.send(data);
  show('sent', text);
}

/** Calls back when a form is submitted, instead of loading another page. */
export function onSubmit(selector, callback) {
  document.querySelector(selector).addEventListener('submit', (event) => {
    event.preventDefault();
    callback(new FormData(event.target, event.submitter));
  });
}

/** Fills an element that names a handler with the handler's source. */
async function showSource(element) {
  const response = await fetch(element.dataset.source);
  element.textContent = response.ok ? await response.text() : `${response.status} ${response.statusText}`;
}

for (const element of document.querySelectorAll('[data-source]')) showSource(element);
