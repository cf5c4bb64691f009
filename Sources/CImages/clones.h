#ifndef CIMAGES_CLONES_H
#define CIMAGES_CLONES_H

/* Compiles a loop twice, for AVX2 and for the baseline, and picks at load time. Neither has fused
   multiply-add, which would round differently from Pillow. The thread sanitizer starts too late for
   the resolver. */
#if defined(__x86_64__) && defined(__linux__) && !__has_feature(thread_sanitizer)
#define CIMAGES_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CIMAGES_CLONES
#endif

#endif
