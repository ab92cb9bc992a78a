import { type DiagnosticMessages, type Metrics, metrics, type RefusalReason } from '../../lib/index.js';
import { REFUSAL_REASONS } from '../../lib/telemetry/refusal-reasons.js';
import { type Equal, expectType } from '../support/expect-type.js';

describe('the reasons of a refusal', () => {
  it('are distinct words', () => {
    expect(new Set(REFUSAL_REASONS).size).toBe(REFUSAL_REASONS.length);
    expect(REFUSAL_REASONS.filter((reason) => !/^[a-z-]+$/.test(reason))).toEqual([]);
  });

  it('type the channel and the counts', () => {
    expectType<Equal<DiagnosticMessages['websocket-route:refuse']['reason'], RefusalReason>>();
    expectType<Equal<keyof Metrics['refused'], RefusalReason>>();
    // @ts-expect-error there is no such reason
    expect(metrics().refused.orign).toBeUndefined();
  });
});
