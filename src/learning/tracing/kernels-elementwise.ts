import { isConstant, type Kernel, type KernelCall, type KernelTable, type Operand } from './kernel-call.ts';
import type { ElementType } from './value.ts';

const unary =
  (type: string, dtype?: ElementType): Kernel =>
  (call) =>
    call.elementwise(type, [call.input('x')], dtype ? { dtype } : {});

const binary =
  (type: string, dtype?: ElementType): Kernel =>
  (call) =>
    call.elementwise(type, [call.input('a'), call.input('b')], dtype ? { dtype } : {});

const not =
  (kernel: Kernel): Kernel =>
  (call) => {
    const result = kernel(call);
    return Array.isArray(result) ? call.unsupported('twice') : call.elementwise('Not', [result]);
  };

/** The operand itself in the shape that the operation would have given it. */
const passed = (call: KernelCall, kept: Operand, other: Operand): Operand => ({
  value: kept.value,
  shape: call.broadcast(kept, other),
});

/**
 * A product with a mask that was a truth value just before (the gradients of relu, min, max are full of them) is a choice:
 * one node that reads one byte per number, instead of two that read four.
 */
export function multiply(call: KernelCall, a: Operand, b: Operand): Operand {
  if (isConstant(a, 1)) return passed(call, b, a);
  if (isConstant(b, 1)) return passed(call, a, b);
  const gateOf = ({ value }: Operand) => {
    const cast = value.operation;
    return cast?.type === 'Cast' && cast.inputs[0]?.dtype === 'bool' && value.dtype === 'float32'
      ? cast.inputs[0]
      : undefined;
  };
  for (const [mask, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const gate = gateOf(mask);
    if (gate)
      return call.elementwise('Where', [{ value: gate, shape: mask.shape }, other, call.constant(0)], {
        dtype: 'float32',
      });
  }
  return call.elementwise('Mul', [a, b]);
}

/** What this is the negative of, if it was made so. */
const negated = ({ value, shape }: Operand): Operand | undefined => {
  const before = value.operation?.type === 'Neg' ? value.operation.inputs[0] : undefined;
  return before && { value: before, shape };
};

const numbers: Readonly<Record<ElementType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 };

export function cast(call: KernelCall, x: Operand, to: ElementType): Operand {
  if (x.value.dtype === to) return x;
  return call.elementwise('Cast', [x], { dtype: to, attributes: { to: { int: numbers[to] } } });
}

const greater = (call: KernelCall, a: Operand, b: Operand) => call.elementwise('Greater', [a, b], { dtype: 'bool' });
const where = (call: KernelCall, gate: Operand, a: Operand, b: Operand) =>
  call.elementwise('Where', [gate, a, b], { dtype: a.value.dtype });

/** 1 where x > 0, else alpha */
const step: Kernel = (call) => {
  const x = call.input('x');
  const alpha = call.number('alpha');
  // Where relu(x) is at hand, its sign is the same, and leaves the product before it a single reader, so that the runtime
  // can merge product, bias and relu into one node.
  const rectified = call.graph.operations.findLast(({ type, inputs }) => type === 'Relu' && inputs[0] === x.value);
  const gate = greater(
    call,
    rectified?.outputs[0] ? { value: rectified.outputs[0], shape: x.shape } : x,
    call.constant(0),
  );
  return alpha === 0 ? cast(call, gate, 'float32') : where(call, gate, call.constant(1), call.constant(alpha));
};

/** exp(x) − 1 without loss near 0: tanh(x/2) · (exp(x) + 1) */
const expm1: Kernel = (call) => {
  const x = call.input('x');
  const half = call.elementwise('Tanh', [call.elementwise('Mul', [x, call.constant(0.5)])]);
  return call.elementwise('Mul', [half, call.elementwise('Add', [call.elementwise('Exp', [x]), call.constant(1)])]);
};

/** log(1 + x) without loss near 0 (after W. Kahan): x where 1 + x rounds to 1, else log(u) · x / (u − 1) with u = 1 + x */
const log1p: Kernel = (call) => {
  const x = call.input('x');
  const one = call.constant(1);
  const u = call.elementwise('Add', [x, one]);
  const slope = call.elementwise('Div', [x, call.elementwise('Sub', [u, one])]);
  const log = call.elementwise('Mul', [call.elementwise('Log', [u]), slope]);
  return where(call, call.elementwise('Equal', [u, one], { dtype: 'bool' }), x, log);
};

/** max(x, 0) + log(1 + exp(−|x|)): the runtime's own Softplus is a scalar loop, these are vectorised. */
export const softplus: Kernel = (call) => {
  const x = call.input('x');
  const decay = call.elementwise('Exp', [call.elementwise('Neg', [call.elementwise('Abs', [x])])]);
  const log = call.elementwise('Log', [call.elementwise('Add', [decay, call.constant(1)])]);
  return call.elementwise('Add', [call.elementwise('Relu', [x]), log]);
};

export function clip(call: KernelCall, x: Operand, low: number, high: number): Operand {
  return {
    value: call.graph.emit('Clip', [x.value, call.graph.scalar(low), call.graph.scalar(high)], x.value),
    shape: x.shape,
  };
}

export const square = (call: KernelCall, x: Operand): Operand => call.elementwise('Mul', [x, x]);

/** a − floor(a / b) · b, as tfjs has it */
const mod: Kernel = (call) => {
  const [a, b] = [call.input('a'), call.input('b')];
  const floor = call.elementwise('Floor', [call.elementwise('Div', [a, b])]);
  return call.elementwise('Sub', [a, call.elementwise('Mul', [floor, b])]);
};

const floorDivide: Kernel = (call) => {
  const [a, b] = [call.input('a'), call.input('b')];
  const quotient = call.elementwise('Div', [cast(call, a, 'float32'), cast(call, b, 'float32')]);
  return cast(call, call.elementwise('Floor', [quotient]), 'int32');
};

const castKernel: Kernel = (call) => {
  const to = call.text('dtype', '');
  if (to !== 'float32' && to !== 'int32' && to !== 'bool') return call.unsupported(`to ${to}`);
  return cast(call, call.input('x'), to);
};

export const elementwiseKernels: KernelTable = {
  Add: (call) => {
    const [a, b] = [call.input('a'), call.input('b')];
    if (isConstant(a, 0)) return passed(call, b, a);
    if (isConstant(b, 0)) return passed(call, a, b);
    // Gradients are full of these: a + (−b)
    const [minusA, minusB] = [negated(a), negated(b)];
    if (minusB) return call.elementwise('Sub', [a, minusB]);
    return minusA ? call.elementwise('Sub', [b, minusA]) : call.elementwise('Add', [a, b]);
  },
  Sub: (call) => {
    const [a, b] = [call.input('a'), call.input('b')];
    return isConstant(b, 0) ? passed(call, a, b) : call.elementwise('Sub', [a, b]);
  },
  Multiply: (call) => multiply(call, call.input('a'), call.input('b')),
  RealDiv: (call) => {
    const [a, b] = [call.input('a'), call.input('b')];
    return isConstant(b, 1) ? passed(call, a, b) : call.elementwise('Div', [a, b]);
  },
  AddN: (call) => {
    const [first = call.unsupported('of nothing'), ...others] = call.inputs();
    return others.reduce((sum, next) => call.elementwise('Add', [sum, next]), first);
  },
  SquaredDifference: (call) => square(call, call.elementwise('Sub', [call.input('a'), call.input('b')])),
  Square: (call) => square(call, call.input('x')),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Pow: binary('Pow'),
  Mod: mod,
  FloorDiv: floorDivide,
  Prelu: (call) => call.elementwise('PRelu', [call.input('x'), call.input('alpha')]),

  Equal: binary('Equal', 'bool'),
  NotEqual: not(binary('Equal', 'bool')),
  Greater: binary('Greater', 'bool'),
  GreaterEqual: binary('GreaterOrEqual', 'bool'),
  Less: binary('Less', 'bool'),
  LessEqual: binary('LessOrEqual', 'bool'),
  LogicalAnd: binary('And', 'bool'),
  LogicalOr: binary('Or', 'bool'),
  LogicalNot: unary('Not', 'bool'),
  Select: (call) => where(call, call.input('condition'), call.input('t'), call.input('e')),
  IsNan: unary('IsNaN', 'bool'),
  IsInf: unary('IsInf', 'bool'),
  IsFinite: (call) => {
    const odd = ['IsNaN', 'IsInf'].map((type) => call.elementwise(type, [call.input('x')], { dtype: 'bool' }));
    return call.elementwise('Not', [call.elementwise('Or', odd)]);
  },
  Cast: castKernel,

  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Sign: unary('Sign'),
  Exp: unary('Exp'),
  Expm1: expm1,
  Log: unary('Log'),
  Log1p: log1p,
  Sqrt: unary('Sqrt'),
  Rsqrt: (call) => call.elementwise('Reciprocal', [call.elementwise('Sqrt', [call.input('x')])]),
  Reciprocal: unary('Reciprocal'),
  Floor: unary('Floor'),
  Ceil: unary('Ceil'),
  Round: unary('Round'),
  Erf: unary('Erf'),
  ...Object.fromEntries(
    ['Sin', 'Cos', 'Tan', 'Asin', 'Acos', 'Atan', 'Sinh', 'Cosh', 'Tanh', 'Asinh', 'Acosh', 'Atanh', 'Sigmoid'].map(
      (type) => [type, unary(type)],
    ),
  ),
  Relu: unary('Relu'),
  Relu6: (call) => clip(call, call.input('x'), 0, 6),
  LeakyRelu: (call) =>
    call.elementwise('LeakyRelu', [call.input('x')], { attributes: { alpha: { float: call.number('alpha') } } }),
  Elu: unary('Elu'),
  EluGrad: (call) => {
    const [dy, y] = [call.input('dy'), call.input('y')];
    const slope = call.elementwise('Mul', [dy, call.elementwise('Add', [y, call.constant(1)])]);
    return where(call, call.elementwise('GreaterOrEqual', [y, call.constant(0)], { dtype: 'bool' }), dy, slope);
  },
  Selu: unary('Selu'),
  Softplus: softplus,
  Step: step,
  ClipByValue: (call) => clip(call, call.input('x'), call.number('clipValueMin'), call.number('clipValueMax')),
};
