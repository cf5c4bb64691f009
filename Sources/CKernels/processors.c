#define _GNU_SOURCE
#include "processors.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LENGTH = 4096 };

/// Reads the first line of a file; 0 where there is none.
static int read_line(const char *path, char *line, int capacity) {
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  int found = fgets(line, capacity, file) != NULL;
  fclose(file);
  return found;
}

/// The first processor of the physical core that a processor is on; itself where that is unknown.
static int core_of(int processor) {
  char path[128], line[128];
  snprintf(
      path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", processor);
  // "0,64" or "0-1".
  return read_line(path, line, sizeof line) ? atoi(line) : processor;
}

typedef struct {
  int32_t processors;
  /// Processors that share a physical core count once.
  int32_t cores;
} allowance;

/// What the affinity mask allows.
static allowance allowed(void) {
  cpu_set_t *mask = NULL;
  int processors = 1024;
  size_t bytes = 0;
  // The kernel refuses a mask that is smaller than its own.
  for (; processors <= 1 << 20; processors *= 2) {
    mask = CPU_ALLOC(processors);
    if (!mask) return (allowance){1, 1};
    bytes = CPU_ALLOC_SIZE(processors);
    if (sched_getaffinity(0, bytes, mask) == 0) break;
    CPU_FREE(mask);
    mask = NULL;
  }
  if (!mask) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t count = online > 0 ? (int32_t)online : 1;
    return (allowance){count, count};
  }
  cpu_set_t *cores = CPU_ALLOC(processors);
  allowance count = {CPU_COUNT_S(bytes, mask), 0};
  if (cores) {
    CPU_ZERO_S(bytes, cores);
    for (int i = 0; i < processors; ++i) {
      if (!CPU_ISSET_S(i, bytes, mask)) continue;
      int core = core_of(i);
      if (core >= 0 && core < processors) CPU_SET_S(core, bytes, cores);
    }
    count.cores = CPU_COUNT_S(bytes, cores);
    CPU_FREE(cores);
  }
  CPU_FREE(mask);
  if (count.processors < 1) count.processors = 1;
  if (count.cores < 1) count.cores = count.processors;
  return count;
}

/// Processors that a folder of control groups grants, of either version; infinite without a quota.
static double quota_of(const char *folder) {
  char path[PATH_LENGTH + 32], line[128];
  double quota = -1, period = -1;
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  if (read_line(path, line, sizeof line)) {
    if (sscanf(line, "%lf %lf", &quota, &period) != 2) return INFINITY;  // "max 100000"
  } else {
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(path, line, sizeof line)) return INFINITY;
    quota = atof(line);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (read_line(path, line, sizeof line)) period = atof(line);
  }
  return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/// The least quota of a group and of those that it is inside of.
static double least_quota(const char *mount, char *group) {
  double least = quota_of(mount);
  char folder[PATH_LENGTH];
  while (*group && strcmp(group, "/") != 0) {
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder) break;
    least = fmin(least, quota_of(folder));
    char *slash = strrchr(group, '/');
    if (!slash) break;
    *slash = '\0';
  }
  return least;
}

/// The quota of the process's control group; infinite without one.
static double group_quota(void) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (!file) return INFINITY;
  double least = INFINITY;
  char line[PATH_LENGTH];
  // "0::/group" in version 2, "4:cpu,cpuacct:/group" in version 1.
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = '\0';
    ++controllers;
    if (*controllers == '\0') {
      least = fmin(least, least_quota("/sys/fs/cgroup", group));
    } else if (strcmp(controllers, "cpu") == 0 || strstr(controllers, "cpu,cpuacct") != NULL) {
      least = fmin(least, least_quota("/sys/fs/cgroup/cpu", group));
    }
  }
  fclose(file);
  return least;
}

/// A number of processors within the quota of the control group.
static int32_t within_quota(int32_t count) {
  double quota = ceil(group_quota());
  if (quota < count) count = quota < 1 ? 1 : (int32_t)quota;
  return count;
}

int32_t ck_processors(void) { return within_quota(allowed().processors); }

int32_t ck_default_threads(void) {
  int32_t count = within_quota(allowed().cores);
  // A list such as "4,2" gives the threads of each level of nested regions; only the first counts.
  const char *wanted = getenv("OMP_NUM_THREADS");
  long limit = wanted ? strtol(wanted, NULL, 10) : 0;
  if (limit > 0 && limit < count) count = (int32_t)limit;
  return count;
}
