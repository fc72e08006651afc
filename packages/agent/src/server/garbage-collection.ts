import { setFlagsFromString } from 'node:v8';

/**
 * Halves the CPU that a transfer costs. Its garbage is buffers outside of V8's heap, 2 bytes for each one moved. From
 * 64 MiB of them on V8 begins an incremental marking of the whole heap each time, once the heap holds more than 8 MB
 * of its own, although all of the buffers are young and the next scavenge frees them: 1 GiB pushed costs 1.9 s of
 * CPU, without incremental marking 1.0 s (Node 20.20, aes128-gcm). The full collections that are left are rare, and
 * short with a heap this small.
 */
export function avoidIncrementalMarking(): void {
  setFlagsFromString('--no-incremental-marking');
}
