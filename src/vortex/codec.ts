export * from './packets.js';
export * from './encode.js';
export * from './decode.js';
