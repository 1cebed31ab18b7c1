import type { Condition } from '../condition.ts';

const STRANGE_DECISIONS = 5;

/** What the policy does, as far as it can be judged from outside. */
export const POLICY_CONDITIONS = [
  {
    id: 'policy-saturated',
    says: 'the policy asks for all the torque that there is, and goes on asking; the balancer took over',
    remedy: 'choose another policy, or the balancer; this one does not know the robot as it is',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 1,
    threshold: ({ timing }) => `its action at or beyond ±1, on the same side, for ${timing.policySaturation} s`,
    source: 'robot file: timing.policySaturation',
    holds: (facts, { timing }) => facts.policySaturatedUs > timing.policySaturation * 1e6,
  },
  {
    id: 'policy-out-of-range',
    says: 'the robot is in a state that the policy was not made for; the balancer took over',
    remedy:
      'bring the robot back to where the policy was trained, or choose another policy; see `range` in its manifest',
    action: 'fallback',
    clears: 'new-mode',
    debounce: 1,
    threshold: () => `${STRANGE_DECISIONS} decisions in a row on an observation outside its manifest's range`,
    source: 'manifest of the policy: observation.terms[].range; the count is assumed',
    holds: (facts) => facts.policyOutOfRange >= STRANGE_DECISIONS,
  },
] as const satisfies readonly Condition[];
