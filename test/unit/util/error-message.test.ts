import { describe, expect, it } from '@jest/globals';
import { errorLogText } from '../../../src/util/error-message.js';

describe('errorLogText', () => {
  it('is the text of an error and its code, and never a field of it', () => {
    expect(errorLogText(new Error('sold out'))).toBe('sold out');
    expect(errorLogText(Object.assign(new Error('sold out'), { code: 'SOLD', card: '4111' }))).toBe(
      'sold out (SOLD)',
    );
    expect(errorLogText({ status: 'error', code: 402, card: '4111' })).toBe('an error of the class Object');
    expect(errorLogText('sold out')).toBe('sold out');
    expect(errorLogText(undefined)).toBe('undefined');
    expect(errorLogText(10n)).toBe('10');
  });

  it('can be asked of anything', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const error of [proxy, Object.create(null), Symbol('odd'), () => 1, { constructor: undefined }]) {
      expect(typeof errorLogText(error)).toBe('string');
    }
  });
});
