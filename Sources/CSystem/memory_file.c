#define _GNU_SOURCE
#include <sys/mman.h>

#include "csystem.h"

int csystem_memory_file(void) { return memfd_create("cleanclip", MFD_CLOEXEC); }
