/**
 * @file cleanclip/communicator.h
 * @brief Communicators: processes that train one model together.
 *
 * The library has no network code. A host that runs several processes, by MPI, torch.distributed or
 * its own means, hands it three collectives; each process, called a rank, then computes its part of
 * every batch. cleanclip/mpi.h makes a communicator of MPI's.
 *
 * @code{.c}
 * cleanclip_communicator ranks;
 * cleanclip_communicator_init(&ranks, sizeof ranks);
 * ranks.rank = my_rank;
 * ranks.size = number_of_ranks;
 * ranks.all_reduce = my_all_reduce;
 * ranks.all_gather = my_all_gather;
 * ranks.broadcast = my_broadcast;
 * options.communicator = &ranks;
 * cleanclip_sanitize(model, tokenizer, pairs, &options, NULL, NULL, NULL);
 * if (ranks.rank == 0) cleanclip_model_save(model, "clean.onnx");
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_COMMUNICATOR_H
#define CLEANCLIP_COMMUNICATOR_H

#include <stddef.h>
#include <stdint.h>

#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Replaces numbers by their sums over all ranks, which must be the same bits on every rank.
 *
 * @param[in,out] values `count` numbers.
 * @param[in] count Numbers, as many on every rank.
 * @param[in] user_data The member of the communicator.
 * @return 0; anything else: it failed, and the call of the library ends.
 */
typedef int32_t (*cleanclip_all_reduce_callback)(float *values, int64_t count, void *user_data);

/**
 * Hands the bytes of every rank to every rank.
 *
 * @param[in] bytes `byte_count` bytes of this rank.
 * @param[in] byte_count Bytes, as many on every rank.
 * @param[out] all_bytes size * `byte_count` bytes: those of rank 0, of rank 1, and so on.
 * @param[in] user_data The member of the communicator.
 * @return 0; anything else: it failed, and the call of the library ends.
 */
typedef int32_t (*cleanclip_all_gather_callback)(const void *bytes, int64_t byte_count,
                                                 void *all_bytes, void *user_data);

/**
 * Replaces bytes by those of one rank.
 *
 * @param[in,out] bytes `byte_count` bytes.
 * @param[in] byte_count Bytes, as many on every rank.
 * @param[in] root The rank whose bytes they become.
 * @param[in] user_data The member of the communicator.
 * @return 0; anything else: it failed, and the call of the library ends.
 */
typedef int32_t (*cleanclip_broadcast_callback)(void *bytes, int64_t byte_count, int32_t root,
                                                void *user_data);

/**
 * The ranks that make a call together, and how they exchange data.
 *
 * Every rank calls the same function with the same model, data and options; what differs is refused
 * before the first step, with the rank and the difference. Collectives block and are called on the
 * thread that made the call, in the same order on every rank. An error on one rank ends the call on
 * every rank, with its text and number. A rank that vanishes is noticed by the host alone: its
 * collectives then fail, after a time-out of their own where nothing else tells them, and say in
 * `problem` which rank it was.
 */
typedef struct cleanclip_communicator {
  size_t struct_size;                       /**< Set by cleanclip_communicator_init(). */
  cleanclip_all_reduce_callback all_reduce; /**< Sums over ranks; needed. */
  cleanclip_all_gather_callback all_gather; /**< Exchanges bytes; needed. */
  cleanclip_broadcast_callback broadcast;   /**< Hands bytes of one rank to all; needed. */
  void *user_data;                          /**< Passed to the callbacks; may be NULL. */
  const char *problem;                      /**< Set by a callback that fails: why, such as "rank 3
                                                 closed its connection"; becomes a part of the error's
                                                 text, and is read before the next call. NULL: unknown. */
  int32_t rank;                             /**< 0 … size - 1; default 0. */
  int32_t size;                             /**< 1 to 65536; default 1. */
} cleanclip_communicator;

/** Writes the defaults, a single process; `struct_size` is `sizeof *communicator`. NULL does nothing. */
CLEANCLIP_API void cleanclip_communicator_init(cleanclip_communicator *communicator,
                                               size_t struct_size);

#ifdef __cplusplus
}
#endif

#endif
