export const STANDARD_TASKS_ONLY =
  'this daemon handles standard tasks only; persistent and cache tasks need a daemon of Dragonfly';

/** Of DfdaemonDownload (docs/WIRE.md 3.3). */
export const REFUSED_DOWNLOAD_METHODS = [
  'DownloadPersistentTask',
  'UploadPersistentTask',
  'StatPersistentTask',
  'StatLocalPersistentTask',
  'ListLocalPersistentTasks',
  'DownloadPersistentCacheTask',
  'UploadPersistentCacheTask',
  'StatPersistentCacheTask',
  'StatLocalPersistentCacheTask',
  'ListLocalPersistentCacheTasks',
  'DownloadCacheTask',
  'StatCacheTask',
  'DeleteCacheTask',
] as const;

/** Of DfdaemonUpload (docs/WIRE.md 2.3). */
export const REFUSED_UPLOAD_METHODS = [
  'DownloadPersistentTask',
  'SyncPersistentPieces',
  'UpdatePersistentTask',
  'StatPersistentTask',
  'DeletePersistentTask',
  'DownloadPersistentCacheTask',
  'UpdatePersistentCacheTask',
  'StatPersistentCacheTask',
  'DeletePersistentCacheTask',
  'SyncPersistentCachePieces',
  'DownloadCacheTask',
  'StatCacheTask',
  'DeleteCacheTask',
  'SyncCachePieces',
  'DownloadCachePiece',
  'ExchangeIBVerbsQueuePairEndpoint',
] as const;
