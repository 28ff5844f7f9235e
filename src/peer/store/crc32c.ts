const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) === 1 ? POLYNOMIAL : 0);
  return remainder;
});

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), which zlib does not have. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  // By index: an iterator costs ten times as much, and a store has tens of megabytes of this.
  for (let index = 0, end = bytes.length; index < end; index++)
    sum = (sum >>> 8) ^ (TABLE[(sum ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  return (sum ^ 0xffffffff) >>> 0;
}

/** As LevelDB stores it, so that a sum over bytes that contain sums is no weaker. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const sum = crc32c(bytes);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}
