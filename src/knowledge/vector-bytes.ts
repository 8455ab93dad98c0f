const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const BYTES_PER_NUMBER = 4;

/** A vector as it is stored: float32, little-endian. */
export function vectorToBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.from(Uint8Array.from(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)).buffer);
  return isLittleEndian ? bytes : bytes.swap32();
}

/** A vector as it was stored, in memory of its own. */
export function vectorOfBytes(stored: Buffer): Float32Array {
  const bytes = Uint8Array.from(stored);
  if (!isLittleEndian) Buffer.from(bytes.buffer).swap32();
  return new Float32Array(bytes.buffer, 0, bytes.length / BYTES_PER_NUMBER);
}
