/** What all the pages share: a log of what was sent and received, and a socket that writes its life into it. */

const log = document.querySelector('#log');

/** @param kind 'sent', 'received', ...: the class of the line, which also stands before it */
export function show(kind, text) {
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  log.append(line);
}

/** A socket to this server. What is received is the page's to show. */
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

/** @param text how to show the data, if it is no text itself */
export function send(socket, data, text = data) {
  if (socket.readyState !== WebSocket.OPEN) {
    const remedy = document.querySelector('#connect') ? 'press Connect' : 'reload the page';
    show('not sent', `the connection is not open: ${remedy} for another one`);
    return;
  }
  socket.send(data);
  show('sent', text);
}

/** Calls back, instead of loading another page, when a form is submitted. */
export function onSubmit(selector, callback) {
  document.querySelector(selector).addEventListener('submit', (event) => {
    event.preventDefault();
    callback(new FormData(event.target, event.submitter));
  });
}

/** Fills the element that names a handler with its source. */
async function showSource(element) {
  const response = await fetch(element.dataset.source);
  element.textContent = response.ok ? await response.text() : `${response.status} ${response.statusText}`;
}

for (const element of document.querySelectorAll('[data-source]')) showSource(element);
