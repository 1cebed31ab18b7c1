import type { MujocoModel } from '../mujoco.ts';
import type { Side } from './drive-fault.ts';

/** What holds a seized wheel: more than drive and weight can overcome [N·m]. */
const SEIZED = 100;

/** What changes about the body and the ground while the robot runs: grip, load, a seized wheel. */
export class BodyFaults {
  readonly #model: MujocoModel;
  readonly #torso: number;
  /** degrees of freedom of the wheels, left and right */
  readonly #wheels: readonly [number, number];
  readonly #whole: { readonly friction: Float64Array; readonly loss: Float64Array; readonly body: TorsoInertia };
  #load = 0;
  #grip = 1;
  readonly #seized = new Set<Side>();

  constructor(model: MujocoModel, torso: number, wheels: readonly [number, number]) {
    const { geomFriction, dofFrictionLoss, bodyMass, bodyCenter, bodyInertia } = model.constants();
    this.#model = model;
    this.#torso = torso;
    this.#wheels = wheels;
    this.#whole = {
      friction: geomFriction.slice(),
      loss: dofFrictionLoss.slice(),
      body: {
        mass: bodyMass[torso] ?? 0,
        center: bodyCenter[3 * torso] ?? 0,
        inertia: Array.from(bodyInertia.slice(3 * torso, 3 * torso + 3)),
      },
    };
  }

  /** What is changed now, for people. */
  get broken(): readonly string[] {
    return [
      ...(this.#grip === 1 ? [] : [`friction times ${this.#grip}`]),
      ...(this.#load === 0 ? [] : [`payload of ${this.#load} kg`]),
    ];
  }

  /** Friction of every contact, times what the model says. */
  grip(scale: number): void {
    this.#grip = scale;
    this.#model.constants().geomFriction.set(this.#whole.friction.map((value) => value * scale));
  }

  /** A wheel that does not turn any more, or does again. */
  seize(side: Side, seized: boolean): void {
    if (seized) this.#seized.add(side);
    else this.#seized.delete(side);
    const { dofFrictionLoss } = this.#model.constants();
    const dof = this.#wheels[side];
    dofFrictionLoss[dof] = this.#seized.has(side) ? SEIZED : (this.#whole.loss[dof] ?? 0);
  }

  /**
   * Puts a load on the torso, in place of the one before; 0 takes it away.
   * @param kilograms at the height of the torso's own centre of mass
   * @param forward of it [m]
   */
  load(kilograms: number, forward = 0): void {
    const { mass, center, inertia } = this.#whole.body;
    const torso = this.#torso;
    this.#load = kilograms;
    const { bodyMass, bodyCenter, bodyInertia } = this.#model.constants();
    const total = mass + kilograms;
    bodyMass[torso] = total;
    bodyCenter[3 * torso] = center + (kilograms * forward) / total;
    // two bodies about their common centre: the reduced mass at their distance
    const added = ((mass * kilograms) / total) * forward ** 2;
    inertia.forEach((value, axis) => {
      bodyInertia[3 * torso + axis] = value + (axis === 0 ? 0 : added);
    });
    // computing the model's constants moves the state
    const state = this.#model.save();
    this.#model.constantsChanged();
    this.#model.restore(state);
  }
}

interface TorsoInertia {
  readonly mass: number;
  readonly center: number;
  readonly inertia: readonly number[];
}
