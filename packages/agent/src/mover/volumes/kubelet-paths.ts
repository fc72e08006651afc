import type { VolumeRef } from '@dr-syncer/ssh';

import type { Mount } from './mountinfo.js';

/**
 * Volume plugins of the kubelet whose directory bears the name of a PersistentVolume and is a mount point. Anything
 * else in a pod's directory (emptyDir, configMap, secret, projected, ephemeral things named by the pod's author) is
 * never a volume of ours, and a plugin that is not known here is refused rather than guessed at.
 *
 * Source: the plugins' `GetName()`/`GetPath()` and `EscapeQualifiedName` in the kubelet.
 */
const pluginDirectories: readonly string[] = [
  'csi',
  'local-volume',
  'nfs',
  'iscsi',
  'fc',
  'rbd',
  'cephfs',
  'glusterfs',
  'aws-ebs',
  'gce-pd',
  'azure-disk',
  'azure-file',
  'cinder',
  'vsphere-volume',
  'portworx-volume',
].map((name) => `kubernetes.io~${name}`);

/** Where the kubelet may have mounted the volume into the pod's directory. */
function candidatePaths(kubeletDir: string, { podUid, pvName }: VolumeRef): string[] {
  const base = `${kubeletDir}/pods/${podUid}/volumes`;
  // The CSI plugin mounts one level deeper, beside its own record of the volume.
  return pluginDirectories.map((plugin) =>
    plugin === 'kubernetes.io~csi' ? `${base}/${plugin}/${pvName}/mount` : `${base}/${plugin}/${pvName}`,
  );
}

/**
 * The mounts that can be this volume. subPath mounts are below `volume-subpaths` and so never among them; several at
 * the same mount point are a stack.
 */
export function volumeMounts(mounts: readonly Mount[], kubeletDir: string, ref: VolumeRef): Mount[] {
  const paths = new Set(candidatePaths(kubeletDir, ref));
  return mounts.filter((mount) => paths.has(mount.mountPoint));
}
