#include <stddef.h>
#include <stdint.h>

/* libFuzzer, for programs that have a main function of their own; documented at
   https://llvm.org/docs/LibFuzzer.html. */
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*run_one)(const uint8_t *bytes, size_t count));
