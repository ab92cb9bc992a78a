import { readFile } from 'node:fs/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { createApp } from '../../demo-app/app.js';
import { type Running, serve } from '../support/server.js';

const { CHROMIUM: executablePath = '/usr/bin/chromium' } = process.env;

let browser: Browser;
let page: Page;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
});

afterAll(() => browser.close());

beforeEach(async () => {
  page = await browser.newPage();
  page.setDefaultTimeout(10_000);
});

afterEach(() => page.context().close());

/** Starts the demo and opens one of its pages. */
async function visit(path: string): Promise<Running> {
  const server = await serve(createApp());
  await page.goto(`${server.httpUrl}/${path}`);
  return server;
}

async function press(button: string): Promise<void> {
  await page.getByRole('button', { name: button, exact: true }).click();
}

/** The lines of the page's log, as soon as there are `count`. */
async function log(count: number): Promise<string[]> {
  const lines = page.locator('#log li');
  await lines.nth(count - 1).waitFor();
  return lines.evaluateAll((items) => items.map(({ className, textContent }) => `${className}: ${textContent}`));
}

describe('the demo in a browser', () => {
  it('leads from the index to each page', async () => {
    await visit('');
    const links = await page.locator('dt a').allTextContents();
    expect(links).toHaveLength(7);
    for (const title of links) {
      await page.getByRole('link', { name: title }).click();
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(title);
      await page.getByRole('link', { name: 'All demos' }).click();
    }
  });

  it('welcomes by name, echoes, and shows the code and the reason of a clean close', async () => {
    const { url } = await visit('echo.html');
    await page.getByLabel('Your name').fill('Ada Lovelace');
    await press('Connect');
    expect(await log(2)).toEqual([`open: ${url}/ws/Ada%20Lovelace`, 'received: Hello, Ada Lovelace!']);
    await page.getByLabel('Message').fill('Grüße 🍕');
    await press('Send');
    expect((await log(4)).slice(2)).toEqual(['sent: Grüße 🍕', 'received: Grüße 🍕']);
    await press('Close');
    expect((await log(5)).slice(4)).toEqual(['closed: 4000 enough of echoes, clean']);
    await press('Send');
    expect((await log(6)).slice(5)).toEqual(['not sent: the connection is not open: press Connect for another one']);
  });

  it('refuses the pizza socket, lets in after logging in, and refuses again after logging out', async () => {
    const refusal = page.waitForEvent('console', (message) => message.text().includes('WebSocket'));
    const { url } = await visit('pizza.html');
    const refused = [
      'fetch: 426 Upgrade Required',
      'error: no connection: a browser does not tell a page why',
      'closed: 1006 (no reason), not clean',
    ];
    expect(await log(3)).toEqual(refused);
    expect((await refusal).text()).toContain('Unexpected response code: 403');

    await page.getByLabel('Topping').fill('basil');
    await press('Log in');
    expect(await log(3)).toEqual([
      'fetch: 426 Upgrade Required',
      `open: ${url}/pizza`,
      'received: Welcome to PizzaNet.',
    ]);

    await press('Log out');
    expect(await log(3)).toEqual(refused);
  });

  it('answers line by line, and shows the protocol error that bytes are', async () => {
    const { url } = await visit('lines.html');
    await log(1);
    await page.getByLabel('Lines').fill('Hello\nWorld');
    await press('Send');
    expect(await log(4)).toEqual([
      `open: ${url}/lines`,
      'sent: "Hello\\nWorld\\n"',
      'received: Uryyb',
      'received: Jbeyq',
    ]);
    await press('Send as bytes');
    const [sent, closed] = (await log(6)).slice(4);
    expect(sent).toBe('sent: "Hello\\nWorld\\n" as bytes');
    expect(closed).toMatch(/^closed: 1002 .*\w.*, clean$/);
    expect(closed).not.toContain('(no reason)');
  });

  it('shows results and errors of remote calls', async () => {
    await visit('rpc.html');
    await log(1);
    await press('Send');
    expect((await log(3)).slice(2)).toEqual(['received: result: "grfg"']);
    await page.getByLabel('Call').fill('{"method": "constructor"}');
    await press('Send');
    expect((await log(5)).slice(4)).toEqual(['received: failed: no such method']);
    await page.getByLabel('Call').fill('rot13');
    await press('Send');
    expect((await log(7)).slice(6)).toEqual(["received: failed: can't decode JSON"]);
  });

  it('sends binary records in one message and in pieces, and decodes the answers', async () => {
    await visit('telemetry.html');
    await log(1);
    await press('Send as one message');
    expect((await log(5)).slice(1)).toEqual([
      'sent: 40 bytes',
      'received: sensor 7: new maximum 20.15°',
      'received: sensor 7: new maximum 22.40°',
      'received: sensor 7: 3 readings, 19.80° to 22.40°, mean 20.78°',
    ]);
    await page.getByLabel('Sensor').fill('8');
    await page.getByLabel('Readings').fill('7');
    await press('Send 7 bytes per message');
    expect((await log(10)).slice(5)).toEqual([
      ...['sent: 7 bytes', 'sent: 7 bytes', 'sent: 6 bytes'],
      'received: sensor 8: new maximum 7.00°',
      'received: sensor 8: 1 readings, 7.00° to 7.00°, mean 7.00°',
    ]);
  });

  it('sends no reading that is no number, or that the record cannot carry', async () => {
    await visit('telemetry.html');
    await log(1);
    await page.getByLabel('Readings').fill('-5 20 foo');
    await press('Send as one message');
    expect((await log(2)).slice(1)).toEqual(['not sent: "-5", "foo": a reading is a number from 0 to 1000']);
    await page.getByLabel('Readings').fill('1000');
    await press('Send as one message');
    expect((await log(4)).slice(2, 4)).toEqual(['sent: 20 bytes', 'received: sensor 7: new maximum 1000.00°']);
  });

  it('shows the source of the handler', async () => {
    await visit('echo.html');
    const source = page.locator('pre').filter({ hasText: 'class EchoSocket' });
    await source.waitFor();
    expect(await source.textContent()).toBe(await readFile('demo-app/handlers/echo.ts', 'utf8'));
  });

  it('tells a page without such a button to reload', async () => {
    await visit('lines.html');
    await log(1);
    await press('Send as bytes');
    await log(3);
    await press('Send');
    expect((await log(4)).slice(3)).toEqual(['not sent: the connection is not open: reload the page for another one']);
  });

  it('downloads a file as one message and verifies its SHA-256', async () => {
    const { url } = await visit('download.html');
    await press('Download');
    const [open, announced, received, ...rest] = await log(5);
    expect(open).toBe(`open: ${url}/files/node`);
    const [, size] = announced?.match(/^received: announced: (\d+) bytes, SHA-256 [0-9a-f]{64}$/) ?? [];
    expect(received).toBe(`received: ${size} bytes`);
    expect(rest.toSorted()).toEqual(['closed: 1000 (no reason), clean', 'verified: the SHA-256 is the same']);
  });

  it('does not find a file by a path', async () => {
    await visit('download.html');
    await page.getByLabel('File').fill('../package.json');
    await press('Download');
    expect(await log(2)).toEqual([
      'error: no connection: a browser does not tell a page why',
      'closed: 1006 (no reason), not clean',
    ]);
  });

  it('shows round-trip times, which the browser answers pings for', async () => {
    await visit('ping.html');
    await page.getByLabel('Times').fill('3');
    await press('Ping');
    expect((await log(5)).slice(1)).toEqual([
      expect.stringMatching(/^received: \d+\.\d{3} ms, 2 to go$/),
      expect.stringMatching(/^received: \d+\.\d{3} ms, 1 to go$/),
      expect.stringMatching(/^received: \d+\.\d{3} ms, 0 to go$/),
      'closed: 1000 pinged out, clean',
    ]);
  });

  it('refuses a page of another origin', async () => {
    const { url } = await serve(createApp());
    // Another port is another origin.
    await visit('echo.html');
    const refusal = page.waitForEvent('console', (message) => message.text().includes('WebSocket'));
    const closed = await page.evaluate(
      `new Promise((resolve) => { new WebSocket('${url}/ws/Mallory').onclose = ({ code }) => resolve(code); })`,
    );
    expect(closed).toBe(1006);
    expect((await refusal).text()).toContain('Unexpected response code: 403');
  });
});
