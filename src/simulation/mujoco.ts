import type { MainModule, MjData, MjModel } from '@mujoco/mujoco';
import { EdgeError, messageOf } from '../errors.ts';

/**
 * The part of MuJoCo that the simulation uses, with types: the package declares nearly every array as `any`.
 *
 * All arrays are views on the wasm heap. When the heap grows (any new model or data, also somebody else's), **every** earlier view
 * is detached: its length becomes 0 and it reads `undefined`, without an error. Whoever keeps views tests `views.detached`
 * before use and takes them anew.
 */
export class MujocoModel {
  readonly #mj: MainModule;
  readonly #model: MjModel;
  readonly #data: MjData;

  private constructor(mj: MainModule, mjcf: string) {
    this.#mj = mj;
    try {
      this.#model = mj.MjModel.from_xml_string(mjcf);
    } catch (error) {
      throw new EdgeError('modelNotLoadable', `MuJoCo refuses the model: ${messageOf(error)}`, 'mend the MJCF');
    }
    this.#data = new mj.MjData(this.#model);
  }

  /**
   * Compiles MJCF text.
   * @throws EdgeError `simulatorMissing`, `modelNotLoadable`
   */
  static async compile(mjcf: string): Promise<MujocoModel> {
    return new MujocoModel(await loadMujoco(), mjcf);
  }

  /** Index of a named object. @throws EdgeError `modelNotLoadable` where the model lacks it */
  id(kind: 'body' | 'joint' | 'geom' | 'actuator' | 'sensor', name: string): number {
    const types = this.#mj.mjtObj;
    const type = {
      body: types.mjOBJ_BODY,
      joint: types.mjOBJ_JOINT,
      geom: types.mjOBJ_GEOM,
      actuator: types.mjOBJ_ACTUATOR,
      sensor: types.mjOBJ_SENSOR,
    }[kind];
    const id = this.#mj.mj_name2id(this.#model, type.value, name);
    if (id < 0) throw new EdgeError('modelNotLoadable', `the model has no ${kind} "${name}"`, 'mend the MJCF');
    return id;
  }

  /** Constants of the model, to be read and edited; call `constantsChanged` after edits of mass or inertia. */
  constants(): ModelViews {
    const model = this.#model;
    return {
      timestep: model.opt.timestep,
      gravity: model.opt.gravity,
      bodyParent: model.body_parentid,
      bodyMass: model.body_mass,
      bodyInertia: model.body_inertia,
      bodyCenter: model.body_ipos,
      geomSize: model.geom_size,
      geomFriction: model.geom_friction,
      jointPosition: model.jnt_qposadr,
      jointVelocity: model.jnt_dofadr,
      jointRange: model.jnt_range,
      dofArmature: model.dof_armature,
      dofFrictionLoss: model.dof_frictionloss,
      actuatorRange: model.actuator_ctrlrange,
      sensorAddress: model.sensor_adr,
    };
  }

  constantsChanged(): void {
    this.#mj.mj_setConst(this.#model, this.#data);
  }

  /** The state and what follows from it. */
  views(): StateViews {
    const data = this.#data;
    return new StateViews({
      position: data.qpos,
      velocity: data.qvel,
      control: data.ctrl,
      sensors: data.sensordata,
      bodyForce: data.xfrc_applied,
      bodyPosition: data.xpos,
      centerOfMass: data.xipos,
      inertiaFrame: data.ximat,
      subtreeCenter: data.subtree_com,
    });
  }

  /** Everything that follows from the state, without moving it. */
  forward(): void {
    this.#mj.mj_forward(this.#model, this.#data);
  }

  /**
   * One physics step. Integrates first and then computes what follows from the new positions and velocities, so that unlike after a plain
   * mj_step nothing but accelerations is one step old.
   */
  step(): void {
    this.#mj.mj_step2(this.#model, this.#data);
    this.#mj.mj_step1(this.#model, this.#data);
  }

  reset(): void {
    this.#mj.mj_resetData(this.#model, this.#data);
  }

  /** Contacts of the model's geoms with each other now. */
  contacts(): readonly (readonly [geom1: number, geom2: number])[] {
    const list = this.#data.contact;
    const pairs: [number, number][] = [];
    for (let i = 0; i < list.size(); i++) {
      const contact = list.get(i);
      if (!contact) continue;
      pairs.push([contact.geom1, contact.geom2]);
      contact.delete();
    }
    list.delete();
    return pairs;
  }

  /** Copy of the whole integration state; restoring it replays bit by bit. */
  save(): Float64Array {
    const spec = this.#mj.mjtState.mjSTATE_INTEGRATION.value;
    const buffer = new this.#mj.DoubleBuffer(this.#mj.mj_stateSize(this.#model, spec));
    this.#mj.mj_getState(this.#model, this.#data, buffer, spec);
    const state = Float64Array.from(buffer.GetView());
    buffer.delete();
    return state;
  }

  restore(state: Float64Array): void {
    const spec = this.#mj.mjtState.mjSTATE_INTEGRATION.value;
    // declared number[], takes a typed array (and not a DoubleBuffer)
    this.#mj.mj_setState(this.#model, this.#data, state as unknown as number[], spec);
    this.forward();
  }

  /** Frees the wasm memory, which no garbage collector does. */
  delete(): void {
    this.#data.delete();
    this.#model.delete();
  }
}

export interface ModelViews {
  readonly timestep: number;
  readonly gravity: Float64Array;
  readonly bodyParent: Int32Array;
  readonly bodyMass: Float64Array;
  readonly bodyInertia: Float64Array;
  readonly bodyCenter: Float64Array;
  readonly geomSize: Float64Array;
  readonly geomFriction: Float64Array;
  readonly jointPosition: Int32Array;
  readonly jointVelocity: Int32Array;
  readonly jointRange: Float64Array;
  readonly dofArmature: Float64Array;
  readonly dofFrictionLoss: Float64Array;
  readonly actuatorRange: Float64Array;
  readonly sensorAddress: Int32Array;
}

interface StateArrays {
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly control: Float64Array;
  readonly sensors: Float64Array;
  /** per body: force, torque; world frame, at the body's centre of mass */
  readonly bodyForce: Float64Array;
  readonly bodyPosition: Float64Array;
  readonly centerOfMass: Float64Array;
  readonly inertiaFrame: Float64Array;
  readonly subtreeCenter: Float64Array;
}

/** Live views on the state. */
export class StateViews implements StateArrays {
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly control: Float64Array;
  readonly sensors: Float64Array;
  readonly bodyForce: Float64Array;
  readonly bodyPosition: Float64Array;
  readonly centerOfMass: Float64Array;
  readonly inertiaFrame: Float64Array;
  readonly subtreeCenter: Float64Array;

  constructor(arrays: StateArrays) {
    this.position = arrays.position;
    this.velocity = arrays.velocity;
    this.control = arrays.control;
    this.sensors = arrays.sensors;
    this.bodyForce = arrays.bodyForce;
    this.bodyPosition = arrays.bodyPosition;
    this.centerOfMass = arrays.centerOfMass;
    this.inertiaFrame = arrays.inertiaFrame;
    this.subtreeCenter = arrays.subtreeCenter;
  }

  /** the heap has grown since: take new views */
  get detached(): boolean {
    return this.position.length === 0;
  }
}

let loading: Promise<MainModule> | undefined;

/** Loads the wasm module once per thread; all models share its heap. */
async function loadMujoco(): Promise<MainModule> {
  loading ??= import('@mujoco/mujoco').then((module) => module.default());
  try {
    return await loading;
  } catch (error) {
    loading = undefined;
    throw new EdgeError(
      'simulatorMissing',
      `cannot load @mujoco/mujoco: ${messageOf(error)}`,
      'the simulator is an optional dependency: run `npm ci` (without --omit=optional)',
    );
  }
}
