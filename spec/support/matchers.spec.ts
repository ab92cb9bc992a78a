const client = { nextClose: () => Promise.resolve({ code: 1002, reason: 'reserved opcode 3' }) };

describe('toCloseWith', () => {
  it('takes any reason where none is asked for', async () => {
    await expect(client).toCloseWith(1002);
    await expect(client).toCloseWith(1002, 'reserved opcode 3');
  });

  it.each([
    [1007, undefined],
    [1002, ''],
    [1007, 'reserved opcode 3'],
  ])('fails for %p and %p, and shows what came', async (code, reason) => {
    await expect(expect(client).toCloseWith(code, reason)).rejects.toThrow(/"?code"?: 1002/);
  });
});

describe('toFailWith', () => {
  it('wants the failure to be the last event, and no others than those that are named', () => {
    expect({ events: [['fail', 1002]] }).toFailWith(1002);
    expect({
      events: [
        ['read', 'a'],
        ['fail', 1002],
      ],
    }).toFailWith(1002, [['read', 'a']]);
    for (const events of [
      [],
      [['fail', 1007]],
      [
        ['read', 'a'],
        ['fail', 1002],
      ],
      [
        ['fail', 1002],
        ['read', 'a'],
      ],
    ]) {
      expect(() => expect({ events }).toFailWith(1002)).toThrow('expected events');
    }
  });
});

describe('toBeAccepted and toBeRefusedWith', () => {
  it('look at the status of an answer, or of a promise of one', async () => {
    await expect({ status: 101 }).toBeAccepted();
    await expect(Promise.resolve({ status: 403 })).toBeRefusedWith(403);
  });

  it('fail with another, and show the body', async () => {
    const answer = { status: 403, body: 'the origin is not allowed' };
    await expect(expect(answer).toBeAccepted()).rejects.toThrow('403: the origin is not allowed');
    await expect(expect(answer).toBeRefusedWith(401)).rejects.toThrow('answered with 401, and was with 403');
  });

  it('do not take 101 for a refusal', async () => {
    await expect(expect({ status: 101 }).toBeRefusedWith(101)).rejects.toThrow('use toBeAccepted()');
  });
});
