// TensorFlow.js as everything under learning uses it. Optional packages: a robot has none of them, so commands reach this
// room by lazy imports alone.
//
// tfjs-core registers no gradients when Node loads it (the module that does is for bundlers); loading tfjs-layers does.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';

// It would print an advertisement for its native backend, whatever the user asked for.
tf.enableProdMode();

export { tf };
