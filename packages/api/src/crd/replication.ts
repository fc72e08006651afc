import { z } from 'zod';

import { dnsLabel, dnsName, metadataSchema } from './common.js';
import { volumeHooks } from './hooks.js';
import { labelSelector } from './label-selector.js';
import { replicationStatus } from './replication-status.js';
import { imageConfig, ingressConfig, namespaceMapping, transforms } from './transforms.js';

const accessMode = z.enum(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']);

const sync = z.object({
  mode: z
    .enum(['Manual', 'Scheduled', 'Continuous'])
    .default('Manual')
    .describe(
      'Manual: when the annotation dr-syncer.io/sync-now is set. Scheduled: at the times of schedule as well. Continuous: objects follow the source at once, volumes at the times of schedule or every dataIntervalSeconds.',
    ),
  schedule: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Five fields of cron with lists, ranges, steps and names, or @hourly, @daily and the like.'),
  timeZone: z.string().max(64).default('UTC').describe('IANA time zone of the schedule.'),
  jitterSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('Starts up to this much later, by the same amount each time, so that not all begin together.'),
  dataIntervalSeconds: z
    .int()
    .min(0)
    .max(2_592_000)
    .default(300)
    .describe(
      'Continuous without a schedule: pause between two syncs of the volumes; 0: only when asked for.',
    ),
});

const conflictAction = z.enum(['Force', 'Report']);

const conflicts = z.object({
  default: conflictAction
    .default('Force')
    .describe(
      'What happens to fields of our objects that another field manager has taken at the destination.',
    ),
  managers: z
    .array(z.object({ name: z.string().min(1).max(128), action: conflictAction }))
    .max(50)
    .optional()
    .describe('By name of the field manager; a "*" at the end stands for anything.'),
});

const prune = z.object({
  enabled: z
    .boolean()
    .default(false)
    .describe('Objects that this Replication made are removed when their source is gone.'),
  graceSeconds: z
    .int()
    .min(0)
    .max(2_592_000)
    .default(300)
    .describe('For this long an object whose source is gone stays, marked dr-syncer.io/source-gone.'),
  maxObjects: z
    .int()
    .min(0)
    .max(100_000)
    .default(20)
    .describe('More than this many at once wait for the annotation dr-syncer.io/confirm-prune.'),
  maxPercent: z
    .int()
    .min(0)
    .max(100)
    .default(25)
    .describe('The same, in percent of the objects of the standby; one may always go.'),
  claims: z
    .boolean()
    .default(false)
    .describe('PersistentVolumeClaims too, with a confirmation each time. Their data goes with them.'),
});

const deploymentConfig = z.object({
  scaleToZero: z
    .boolean()
    .default(true)
    .describe(
      'Nothing runs at the destination: no replicas (also of custom kinds with a scale subresource), CronJobs and Jobs suspended, DaemonSets parked. What was is kept in annotations.',
    ),
  jobs: z
    .enum(['Suspend', 'Skip'])
    .default('Suspend')
    .describe('Jobs without a CronJob: copied as suspended ones, or left out.'),
});

const serviceConfig = z.object({
  preserveNodePorts: z.boolean().default(false).describe('Keep the node port numbers of the source.'),
  preserveClusterIP: z
    .boolean()
    .default(false)
    .describe('Keep the cluster IPs of the source, for clusters with the same range of Services.'),
});

const preserve = z
  .object({
    devices: z.boolean().default(false).describe('Device nodes.'),
    fileCapabilities: z.boolean().default(false).describe('The extended attribute security.capability.'),
  })
  .describe(
    'What takes more than other files to copy: privileged movers, and settings of the controller that allow it.',
  );

export const verificationModes = ['none', 'counts', 'sample', 'full'] as const;

const pvcConfig = z.object({
  includeData: z.boolean().default(true).describe('Copy what is in the volumes, not only the claims.'),
  storageClassMapping: z
    .record(z.string(), z.string())
    .optional()
    .describe('Storage class at the destination by storage class in the source; "*" maps the rest.'),
  accessModeMapping: z
    .record(z.string(), accessMode)
    .optional()
    .describe('Access mode at the destination by access mode in the source.'),
  excludePaths: z
    .array(z.string().min(1).max(4096))
    .max(100)
    .optional()
    .describe("Patterns of rsync's --exclude, relative to the root of the volume."),
  bandwidthLimit: z.int().min(0).default(0).describe('KiB per second and volume; 0: no limit.'),
  parallelStreams: z
    .int()
    .min(1)
    .max(8)
    .default(4)
    .describe(
      'A large volume may be copied by so many rsyncs side by side, if that is measured to be faster; 1: never by more than one.',
    ),
  deletionGuard: z
    .object({
      percent: z
        .int()
        .min(1)
        .max(100)
        .default(50)
        .describe(
          'A source that has lost more than this share of files or bytes is not copied. 100: only when it has lost all.',
        ),
    })
    .default({ percent: 50 })
    .describe('Protects the copy from a source that is empty, shrunken or not the right one.'),
  verification: z
    .enum(verificationModes)
    .default('counts')
    .describe(
      'How a copy is checked after its transfer. counts: numbers of files, directories, links and bytes. sample: also the contents of one file in a hundred, the same ones each time. full: the contents of all.',
    ),
  fullScanSeconds: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(86_400)
    .describe(
      'Within this time of a comparison of everything, a sync looks only at what has changed by the records of the agents. 0: each sync compares everything.',
    ),
  priority: z
    .int()
    .min(-1000)
    .max(1000)
    .default(0)
    .describe('Volumes of a higher priority are copied first when transfers wait for their turn.'),
  timeoutSeconds: z
    .int()
    .min(0)
    .max(2_592_000)
    .default(86_400)
    .describe('Longest time for one volume; 0: no limit.'),
  startTimeoutSeconds: z
    .int()
    .min(5)
    .max(3600)
    .default(60)
    .describe('The destination has to answer within this time after a transfer was started.'),
  stallTimeoutSeconds: z
    .int()
    .min(5)
    .max(86_400)
    .default(120)
    .describe('A transfer that moves nothing for this long is ended.'),
  preserve: preserve.default(preserve.parse({})),
  hooks: volumeHooks.optional(),
});

const clusterResources = z.object({
  customResourceDefinitions: z
    .boolean()
    .default(false)
    .describe(
      'Install the definitions of the custom resources that are copied, where the remote lacks them. Outside of dr-syncer-system only for a RemoteCluster of the same namespace, like the two below.',
    ),
  namespaceLabels: z
    .boolean()
    .default(false)
    .describe('Copy the labels of the namespace. Those of pod security are copied in any case.'),
  namespaceAnnotations: z
    .boolean()
    .default(false)
    .describe(
      'Copy the annotations of the namespace, without what clusters allocate (openshift.io/sa.scc.*).',
    ),
  checkClasses: z
    .boolean()
    .default(true)
    .describe(
      'Warn by the condition ClusterResourcesReady when the remote lacks storage, priority, ingress or runtime classes that objects name.',
    ),
});

const immutableAction = z.enum(['NoChange', 'Recreate', 'Fail']);

const immutableResources = z.object({
  default: immutableAction
    .default('Fail')
    .describe(
      'When the source changed a field that the destination does not let be changed: leave the object and count it as drifted, delete it and make it anew, or count it as failed. Claims and what others own are never deleted.',
    ),
  kinds: z
    .array(z.object({ kind: z.string().min(1).max(317), action: immutableAction }))
    .max(100)
    .optional()
    .describe('By kind, named as in resourceTypes; the first that fits counts.'),
});

export const replicationSpec = z.object({
  destinationCluster: z
    .string()
    .max(317)
    .regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
    .describe('RemoteCluster: a name in the same namespace, or namespace/name where that one allows it.'),
  sourceNamespace: dnsLabel
    .optional()
    .describe('Namespace to copy. Default: its own. Only Replications in dr-syncer-system may name another.'),
  destinationNamespace: dnsLabel.optional().describe('Namespace in the remote. Default: the same name.'),
  resourceTypes: z
    .array(z.string().min(1).max(317))
    .max(200)
    .optional()
    .describe('Types to copy: plural, singular, kind, short name or plural.group; "*" or nothing: all.'),
  excludeResources: z
    .array(z.object({ kind: z.string().min(1).max(317), name: dnsName.optional() }))
    .max(500)
    .optional()
    .describe('Objects to leave out: all of a kind, or one by name.'),
  excludeLabels: z
    .array(z.object({ key: z.string().min(1).max(317), value: z.string().max(63).optional() }))
    .max(100)
    .optional()
    .describe('Objects with one of these labels are left out; without a value, whatever its value is.'),
  labelSelector: labelSelector.optional().describe('Only objects that match are copied.'),
  includeControlled: z
    .array(z.string().min(1).max(317))
    .max(100)
    .optional()
    .describe(
      'Types whose objects are copied even if a controller made them, named as in resourceTypes; "*": all. What Deployments, CronJobs and the like make is always left to them.',
    ),
  includeHelmReleases: z
    .boolean()
    .default(false)
    .describe(
      'Copy the Secrets in which Helm keeps its releases, so that helm knows them at the destination.',
    ),
  sync: sync.default(sync.parse({})),
  paused: z.boolean().default(false).describe('Nothing is written while true; what runs is ended.'),
  drift: z
    .enum(['Repair', 'Report'])
    .default('Repair')
    .describe(
      'Fields of our objects that somebody else changed at the destination are put right, or only reported. What was deleted there is made again in both cases.',
    ),
  conflicts: conflicts.default(conflicts.parse({})),
  prune: prune.default(prune.parse({})),
  deletionPolicy: z
    .enum(['Orphan', 'Prune'])
    .default('Orphan')
    .describe(
      'What becomes of the standby when this object is deleted. Prune removes what it made; claims only with prune.claims.',
    ),
  clusterResources: clusterResources.default(clusterResources.parse({})),
  immutableResources: immutableResources.default(immutableResources.parse({})),
  deploymentConfig: deploymentConfig.default(deploymentConfig.parse({})),
  serviceConfig: serviceConfig.default(serviceConfig.parse({})),
  ingressConfig: ingressConfig.default(ingressConfig.parse({})),
  imageConfig: imageConfig.default(imageConfig.parse({})),
  namespaceMapping: namespaceMapping.optional(),
  transforms: transforms.optional(),
  pvcConfig: pvcConfig.default(pvcConfig.parse({})),
  moverSecurityContext: z
    .looseObject({})
    .optional()
    .meta({ 'x-kubernetes-preserve-unknown-fields': true })
    .describe(
      "A PodSecurityContext: what the transfers' processes run as. Checked against the ranges of the namespace; the answer is in the status.",
    ),
});

export const replicationSchema = z.looseObject({
  metadata: metadataSchema,
  spec: replicationSpec,
  status: replicationStatus.optional(),
});

export type SyncSpec = z.infer<typeof sync>;
export type ConflictRules = z.infer<typeof conflicts>;
export type ReplicationSpec = z.infer<typeof replicationSpec>;
export type Replication = z.infer<typeof replicationSchema>;
