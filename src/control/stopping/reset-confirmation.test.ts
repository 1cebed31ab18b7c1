import { describe, expect, it } from 'vitest';
import { notConfirmed } from '../socket/refusals.ts';
import { CONFIRMATION_WINDOW, ResetConfirmation } from './reset-confirmation.ts';

function rig(wanted = true) {
  const clock = { now: 0 };
  const confirmation = new ResetConfirmation({ wanted, now: () => clock.now });
  return { clock, confirmation };
}

describe('the confirmation of a reset', () => {
  it('is for the stop that was seen, for a minute, and once', () => {
    const { clock, confirmation } = rig();
    confirmation.stopped();
    expect(confirmation.state).toBe('wanted');
    expect(confirmation.confirm(confirmation.stop)).toBeUndefined();
    clock.now = CONFIRMATION_WINDOW;
    expect(confirmation.state).toBe('given');
    clock.now += 1;
    expect(confirmation.state).toBe('wanted');
    confirmation.confirm(confirmation.stop);
    confirmation.used();
    expect(confirmation.state).toBe('wanted');
  });

  it('is void after another stop, and not taken for one that was not seen', () => {
    const { confirmation } = rig();
    confirmation.stopped();
    const seen = confirmation.stop;
    confirmation.confirm(seen);
    confirmation.stopped();
    expect(confirmation.state).toBe('wanted');
    expect(confirmation.confirm(seen)).toMatchObject({ code: 'stopped-again' });
    expect(confirmation.confirm(seen + 2)).toMatchObject({ code: 'stopped-again' });
    expect(confirmation.state).toBe('wanted');
  });

  it('is for the stop that a start found on disk, too', () => {
    const { confirmation } = rig();
    expect(confirmation.confirm(0)).toBeUndefined();
    expect(confirmation.state).toBe('given');
  });

  it('is not wanted where the owner does not want it', () => {
    expect(rig(false).confirmation.state).toBe('not-wanted');
  });

  it('that is missing is said with what to do', () => {
    expect(notConfirmed('anna')).toMatchObject({
      code: 'confirmation-wanted',
      remedy: expect.stringContaining('--confirm'),
    });
    expect(notConfirmed('').message).toContain('somebody');
  });
});
