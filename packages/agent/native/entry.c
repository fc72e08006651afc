#include "attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char LABEL[] = "security.selinux";
static const char CAPABILITY[] = "security.capability";

/* kubelet's, pkg/volume/volume_linux.go: rwMask, and for directories setgid and execMask too. */
enum { FILE_BITS = 0660, DIRECTORY_BITS = S_ISGID | 0770 };
enum { PRIVILEGE_BITS = S_ISUID | S_ISGID };

int open_below(int directory, const char *name, int flags) {
  struct open_how how = {
      .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  };
  for (int attempt = 0;; attempt++) {
    long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    /* Somebody renamed at the same time and the kernel can't be sure (openat2(2)). */
    if (fd >= 0 || errno != EAGAIN || attempt == 100) return (int)fd;
  }
}

void count_failure(struct context *context, const char *name, int error) {
  if (error == ENOENT) {
    context->counts.vanished++;
  } else if (error == EXDEV) {
    context->counts.other_mounts++;
  } else {
    context->counts.failed++;
    report_example(name, errno_name(error));
  }
}

static mode_t mode_bits(const struct wanted *wanted, mode_t mode) {
  if (!wanted->set_group || S_ISLNK(mode)) return 0;
  return S_ISDIR(mode) ? DIRECTORY_BITS : FILE_BITS;
}

static bool group_is_right(const struct wanted *wanted, const struct stat *entry) {
  if (!wanted->set_group) return true;
  mode_t bits = mode_bits(wanted, entry->st_mode);
  return entry->st_gid == wanted->group && (entry->st_mode & bits) == bits;
}

/* The kernel gives labels with a terminating zero, and some file systems without. */
static bool label_is(const struct wanted *wanted, const char *value, ssize_t length) {
  if (length > 0 && value[length - 1] == '\0') length--;
  return length >= 0 && (size_t)length == wanted->label_length && memcmp(value, wanted->label, (size_t)length) == 0;
}

static bool needs_descriptor(const struct context *context, const struct stat *entry, const char *name) {
  const struct wanted *wanted = &context->wanted;
  if (wanted->count_links) return true;
  mode_t bits = mode_bits(wanted, entry->st_mode);
  if ((entry->st_mode & bits) != bits) return true;
  if (!S_ISREG(entry->st_mode) || entry->st_gid == wanted->group) return false;
  return (entry->st_mode & PRIVILEGE_BITS) != 0 || lgetxattr(name, CAPABILITY, NULL, 0) >= 0;
}

/* Group of the entry with that name. False: this takes a descriptor. */
static bool group_in_place(struct context *context, int directory, const char *name) {
  const struct wanted *wanted = &context->wanted;
  struct stat entry;
  if (fstatat(directory, name, &entry, AT_SYMLINK_NOFOLLOW) != 0) {
    count_failure(context, name, errno);
    return true;
  }
  if (entry.st_dev != context->device) {
    context->counts.other_mounts++;
    return true;
  }
  if (group_is_right(wanted, &entry)) return true;
  if (needs_descriptor(context, &entry, name)) return false;
  if (fchownat(directory, name, (uid_t)-1, wanted->group, AT_SYMLINK_NOFOLLOW) == 0) context->counts.groups_changed++;
  else count_failure(context, name, errno);
  return true;
}

static bool label_in_place(struct context *context, const char *name) {
  const struct wanted *wanted = &context->wanted;
  char value[MAX_LABEL];
  if (label_is(wanted, value, lgetxattr(name, LABEL, value, sizeof value))) return true;
  if (wanted->count_links) return false;
  if (lsetxattr(name, LABEL, wanted->label, wanted->label_length + 1, 0) == 0) context->counts.labels_changed++;
  else count_failure(context, name, errno);
  return true;
}

bool entry_apply_in_place(struct context *context, int directory, const char *name) {
  /* Only openat2(2) sees that a name leads into another mount. */
  if (context->wanted.nested_mounts) return false;
  if (context->wanted.set_group && !group_in_place(context, directory, name)) return false;
  return context->wanted.label == NULL || label_in_place(context, name);
}

/*
 * Takes back setuid, setgid and capabilities: somebody has written to the file between our looking at it and our putting
 * them back, and the kernel's taking them away is what protects against just that.
 */
static void drop_privileges(struct context *context, int fd, mode_t mode, const char *name) {
  if (mode_set(fd, mode & ~(mode_t)PRIVILEGE_BITS) != 0) count_failure(context, name, errno);
  (void)attribute_remove(fd, CAPABILITY);
  context->counts.privileges_dropped++;
  report_example(name, "written at the same time");
}

static bool was_written(int fd, const struct stat *before) {
  struct stat now;
  return fstat(fd, &now) != 0 || now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

/*
 * chown(2) takes setuid, setgid and file capabilities from a file, also when root calls it. kubelet puts the first two
 * back, because it sets the mode that it read before, and loses the third.
 */
static void restore(struct context *context, int fd, const struct stat *before, mode_t mode, const char *capability,
                    ssize_t capability_length, const char *name) {
  bool privileged = S_ISREG(mode) && ((mode & PRIVILEGE_BITS) != 0 || capability_length > 0);
  if (privileged && was_written(fd, before)) {
    drop_privileges(context, fd, mode, name);
    return;
  }
  if (mode_set(fd, mode) != 0) count_failure(context, name, errno);
  else if ((mode & 07777U) != (before->st_mode & 07777U)) context->counts.modes_changed++;
  if (capability_length > 0) {
    if (attribute_set(fd, CAPABILITY, capability, (size_t)capability_length) == 0) {
      context->counts.capabilities_kept++;
    } else {
      context->counts.privileges_dropped++;
      report_example(name, "file capabilities lost");
    }
  }
  if (privileged && was_written(fd, before)) drop_privileges(context, fd, mode, name);
}

static void apply_group(struct context *context, int fd, const struct stat *entry, const char *name) {
  const struct wanted *wanted = &context->wanted;
  if (group_is_right(wanted, entry)) return;
  mode_t mode = entry->st_mode | mode_bits(wanted, entry->st_mode);
  char capability[MAX_CAPABILITY];
  ssize_t capability_length = 0;
  if (entry->st_gid != wanted->group) {
    if (S_ISREG(entry->st_mode)) capability_length = attribute_get(fd, CAPABILITY, capability, sizeof capability);
    if (fchownat(fd, "", (uid_t)-1, wanted->group, AT_EMPTY_PATH) != 0) {
      count_failure(context, name, errno);
      return;
    }
    context->counts.groups_changed++;
  }
  if (S_ISLNK(entry->st_mode)) return;
  bool cleared = S_ISREG(entry->st_mode) && (entry->st_mode & PRIVILEGE_BITS) != 0;
  if (mode != entry->st_mode || cleared || capability_length > 0) {
    restore(context, fd, entry, mode, capability, capability_length, name);
  }
}

static void apply_label(struct context *context, int fd, const char *name) {
  const struct wanted *wanted = &context->wanted;
  if (wanted->label == NULL) return;
  char value[MAX_LABEL];
  if (label_is(wanted, value, attribute_get(fd, LABEL, value, sizeof value))) return;
  /* With its zero, as libselinux writes it. */
  if (attribute_set(fd, LABEL, wanted->label, wanted->label_length + 1) == 0) context->counts.labels_changed++;
  else count_failure(context, name, errno);
}

void entry_apply(struct context *context, int path_fd, const char *name) {
  struct stat entry;
  if (fstat(path_fd, &entry) != 0) {
    count_failure(context, name, errno);
    return;
  }
  if (context->wanted.count_links && !S_ISDIR(entry.st_mode) && entry.st_nlink > 1 &&
      links_saw(&entry) == LINKS_MISSING) {
    return;
  }
  apply_group(context, path_fd, &entry, name);
  apply_label(context, path_fd, name);
}

void directory_apply(struct context *context, int fd, const char *name) {
  struct stat entry;
  if (fstat(fd, &entry) != 0) {
    count_failure(context, name, errno);
    return;
  }
  apply_group(context, fd, &entry, name);
  apply_label(context, fd, name);
}
