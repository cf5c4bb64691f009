/* The library is opened, closed and opened again, as plug-in hosts do. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

static int use(const char *path, int round) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  uint32_t (*version)(void);
  uint32_t (*load)(const char *, void **);
  void *model = (void *)&round;
  uint32_t status;
  if (library == NULL) {
    fprintf(stderr, "dlopen: %s\n", dlerror());
    return 1;
  }
  *(void **)&version = dlsym(library, "cleanclip_version_number");
  *(void **)&load = dlsym(library, "cleanclip_model_load");
  if (version == NULL || load == NULL) return 1;
  /* Parses with the ONNX classes, whose registry does not survive being loaded twice. */
  status = load("/dev/null", &model);
  printf("ok   round %d: version %u, status %u\n", round, (unsigned)version(), (unsigned)status);
  if (status == 0 || model != NULL) return 1;
  return dlclose(library);
}

int main(int argc, char **argv) {
  int round;
  if (argc != 2) return 2;
  for (round = 1; round <= 3; ++round) {
    if (use(argv[1], round) != 0) return 1;
  }
  return 0;
}
