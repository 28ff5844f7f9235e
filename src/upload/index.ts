export {
  type UploadServiceOptions,
  type UploadAddresses,
  type ListenAddress,
  UploadService,
} from './upload-service.js';
export { type UploadBounds, DEFAULT_UPLOAD_BOUNDS } from './bounds.js';
export type { PieceSource, ServedTask } from './piece-source.js';
export type { UploadRates } from './upload-limits.js';
export { UNSENT_LIMIT_BYTES } from './unsent-limit.js';
export { setRateCeiling } from './rate-ceiling.js';
export { effectiveLimit } from './route.js';
export type { EngineUnavailableReason, LimitedRoute, Route, RouteReason } from './route.js';
export type { UploadWait } from './transfer/upload.js';
export type { EngineSupport, LiveUpload, OnUpload, UploadProgress } from './transfer/uploads.js';
export { createSharedPortServer } from './vortex/sniff.js';
