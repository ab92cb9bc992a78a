/**
 * The specs of the parsers once more, where all of their work is done in plain JavaScript: also in the memory that
 * sockets read into.
 */
process.env['WS_NO_SIMD'] = '1';

describe('with WS_NO_SIMD=1', () => {
  require('../frame-parser.spec.js');
  require('../pausable-parser.spec.js');
  require('../draft76/draft76-parser.spec.js');
  require('../mask.spec.js');
  require('../../dispatch/readers/message-readers.spec.js');

  it('WS_NO_SIMD leaves no SIMD scanner', () => {
    const { simdScanner } =
      require('../../../lib/framing/scan/simd-scan.js') as typeof import('../../../lib/framing/scan/simd-scan.js');
    expect(simdScanner).toBeUndefined();
  });
});
