import { DeflateJob } from '../../../lib/connection/outbound/deflate-job.js';
import type { CompressSettings } from '../../../lib/deflate/agreement.js';
import { Deflation } from '../../../lib/deflate/deflation.js';
import { enterQueue, releaseTurn, zlibJobs } from '../../../lib/deflate/zlib-jobs.js';
import { Opcode } from '../../../lib/index.js';
import { Inflater } from '../../conformance/deflate-client.js';
import { parseFrame } from '../../support/frames.js';

const SETTINGS: CompressSettings = {
  threshold: 0,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  level: 6,
  memLevel: 8,
};
const message = Buffer.from('a message, a message, a message, a message');

describe('a message that is to be compressed', () => {
  it('weighs what it weighs uncompressed, and does not own the socket', () => {
    const job = new DeflateJob(new Deflation(SETTINGS, SETTINGS), Opcode.Text, message);
    expect(job.size).toBe(message.length);
    expect(job.ownsSocket).toBe(false);
  });

  it('weighs the same when its memory has been transferred: it was counted so when it was written', () => {
    const memory = new ArrayBuffer(100_000);
    const job = new DeflateJob(new Deflation(SETTINGS, SETTINGS), Opcode.Binary, Buffer.from(memory));
    structuredClone(memory, { transfer: [memory] });
    expect(job.size).toBe(100_000);
  });

  it('becomes a frame when it is run, and not before', async () => {
    const job = new DeflateJob(new Deflation(SETTINGS, SETTINGS), Opcode.Binary, message);
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
    const frame = await job.run();
    const { opcode, rsv, payload } = parseFrame(frame!)!.frame;
    expect({ opcode, rsv }).toEqual({ opcode: 2, rsv: 4 });
    expect(new Inflater(15, false).message(payload)).toEqual(message);
  });

  it('a job that is cancelled before it runs leaves nothing behind', () => {
    new DeflateJob(new Deflation(SETTINGS, SETTINGS), Opcode.Text, message).cancel();
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });

  it('a job that is cancelled at work becomes nothing when its connection stops the deflation', async () => {
    for (let i = 0; i < 8; i++) enterQueue({ onTurn() {} });
    const deflation = new Deflation(SETTINGS, SETTINGS);
    const job = new DeflateJob(deflation, Opcode.Text, message);
    const frame = job.run();
    job.cancel();
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
    deflation.stop();
    expect(await frame).toBeUndefined();
    for (let i = 0; i < 8; i++) releaseTurn();
    expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
  });
});
