#define _GNU_SOURCE
#include "openmp.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <oneapi/dnnl/dnnl.h>

#include "ckernels.h"
#include "pool.h"

// oneDNN asks OpenMP (GNU libgomp) for threads, which wait so actively that beside another busy process
// they take more time than they work. Its six calls of OpenMP go through a table of addresses that the
// loader fills in; here they are led to the functions below. Those serve the threads that
// compute for this library from its pool, and pass on what others call, such as a host that uses the
// same oneDNN.

typedef void region_body(void *);

static struct {
  void (*parallel)(region_body *, void *, unsigned, unsigned);
  void (*barrier)(void);
  int (*max_threads)(void), (*num_threads)(void), (*thread_num)(void), (*in_parallel)(void);
} host;

/// Nested calls of oneDNN by this thread.
static _Thread_local int32_t depth;

static int is_member(void) { return ck_pool_membership().threads > 0; }

typedef struct {
  region_body *body;
  void *data;
} region;

static void run_region(void *context, int32_t number) {
  (void)number;
  const region *r = context;
  r->body(r->data);
}

static void parallel(region_body *body, void *data, unsigned threads, unsigned flags) {
  if (depth == 0 && !is_member()) {
    host.parallel(body, data, threads, flags);
    return;
  }
  region r = {body, data};
  int32_t count = threads > 0 ? (int32_t)threads : ck_threads();
  // A number that changed since the primitive was made.
  ck_pool_reserve(count);
  ck_pool_run_team(count, run_region, &r);
}

static void barrier(void) {
  if (is_member()) {
    ck_pool_barrier();
  } else if (depth == 0) {
    host.barrier();
  }
}

static int max_threads(void) {
  return depth > 0 || is_member() ? ck_threads() : host.max_threads();
}

static int num_threads(void) {
  if (is_member()) return ck_pool_membership().threads;
  return depth > 0 ? 1 : host.num_threads();
}

static int thread_num(void) {
  if (is_member()) return ck_pool_membership().number;
  return depth > 0 ? 0 : host.thread_num();
}

static int in_parallel(void) {
  if (is_member()) return 1;
  return depth > 0 ? 0 : host.in_parallel();
}

static const struct {
  const char *name;
  void *function, *host;
} calls[] = {
    {"GOMP_parallel", parallel, &host.parallel},
    {"GOMP_barrier", barrier, &host.barrier},
    {"omp_get_max_threads", max_threads, &host.max_threads},
    {"omp_get_num_threads", num_threads, &host.num_threads},
    {"omp_get_thread_num", thread_num, &host.thread_num},
    {"omp_in_parallel", in_parallel, &host.in_parallel},
};

enum { CALLS = sizeof calls / sizeof *calls };

/// What a loaded library's dynamic section says, as far as it is needed here.
typedef struct {
  const Elf64_Rela *table;
  size_t count;
  const Elf64_Sym *symbols;
  const char *names;
} jump_table;

static jump_table find_jump_table(const struct link_map *library) {
  jump_table found = {0};
  for (const Elf64_Dyn *entry = library->l_ld; entry->d_tag != DT_NULL; entry++) {
    switch (entry->d_tag) {
      case DT_JMPREL: found.table = (const void *)entry->d_un.d_ptr; break;
      case DT_PLTRELSZ: found.count = entry->d_un.d_val / sizeof(Elf64_Rela); break;
      case DT_SYMTAB: found.symbols = (const void *)entry->d_un.d_ptr; break;
      case DT_STRTAB: found.names = (const void *)entry->d_un.d_ptr; break;
      default: break;
    }
  }
  return found;
}

/// Whether the loader made the page of an address read-only when it had filled it in.
static int is_read_only(const struct link_map *library, const Elf64_Ehdr *header, uintptr_t address) {
  const Elf64_Phdr *segments = (const void *)((const char *)header + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++) {
    uintptr_t begin = library->l_addr + segments[i].p_vaddr;
    if (segments[i].p_type == PT_GNU_RELRO && address >= begin &&
        address < begin + segments[i].p_memsz) {
      return 1;
    }
  }
  return 0;
}

static int write_slot(void **slot, void *function, int read_only) {
  uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE), page = (uintptr_t)slot & ~(size - 1);
  if (read_only && mprotect((void *)page, size, PROT_READ | PROT_WRITE) != 0) return 0;
  __atomic_store_n(slot, function, __ATOMIC_RELEASE);
  if (read_only) mprotect((void *)page, size, PROT_READ);
  return 1;
}

static const char *failure;

static void lead_to_pool(void) {
  if (dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP) {
    failure = "oneDNN is built for threads of another kind; expected GNU OpenMP";
    return;
  }
  Dl_info info;
  struct link_map *library = NULL;
  void **slots[CALLS] = {NULL};
  if (dladdr1((void *)dnnl_primitive_execute, &info, (void **)&library, RTLD_DL_LINKMAP) && library) {
    jump_table jumps = find_jump_table(library);
    for (size_t i = 0; i < jumps.count; i++) {
      const char *name = jumps.names + jumps.symbols[ELF64_R_SYM(jumps.table[i].r_info)].st_name;
      for (int k = 0; k < CALLS; k++) {
        if (strcmp(name, calls[k].name) == 0) {
          slots[k] = (void **)(library->l_addr + jumps.table[i].r_offset);
        }
      }
    }
  }
  // All are there, and bound (-z now), or nothing is changed: the two run times must not mix.
  for (int k = 0; k < CALLS; k++) {
    void *target = slots[k] ? __atomic_load_n(slots[k], __ATOMIC_ACQUIRE) : NULL;
    Dl_info owner;
    if (!target || !dladdr(target, &owner) || owner.dli_fbase == info.dli_fbase) {
      failure = "oneDNN's calls of GNU OpenMP are not found; expected oneDNN of the distribution";
      return;
    }
    memcpy(calls[k].host, &target, sizeof target);
  }
  for (int k = 0; k < CALLS; k++) {
    int read_only = is_read_only(library, info.dli_fbase, (uintptr_t)slots[k]);
    if (!write_slot(slots[k], calls[k].function, read_only)) {
      failure = "oneDNN's calls of GNU OpenMP cannot be changed; mprotect is refused";
      return;
    }
  }
}

ck_status ck_enter_onednn(const char **reason) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, lead_to_pool);
  if (failure) {
    *reason = failure;
    return CK_FAILED;
  }
  int32_t threads = ck_threads();
  if (depth == 0 && ck_pool_reserve(threads) < threads) {
    *reason = "the system starts no more threads; set a smaller number of them";
    return CK_OUT_OF_MEMORY;
  }
  depth++;
  return CK_OK;
}

void ck_leave_onednn(void) { depth--; }
