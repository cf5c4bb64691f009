/**
 * @file cleanclip/mpi.h
 * @brief A communicator of MPI's: header only, for programs that use MPI.
 *
 * @code{.c}
 * cleanclip_mpi ranks;
 * MPI_Init(&argc, &argv);
 * cleanclip_mpi_init(&ranks, MPI_COMM_WORLD, 60);
 * options.communicator = &ranks.communicator;
 * if (cleanclip_sanitize(model, tokenizer, pairs, &options, NULL, NULL, NULL) != CLEANCLIP_OK) {
 *   fprintf(stderr, "%s\n", cleanclip_last_error());
 *   MPI_Abort(MPI_COMM_WORLD, 1);
 * }
 * cleanclip_mpi_free(&ranks);
 * MPI_Finalize();
 * @endcode
 *
 * Collectives are called on the thread that calls the library; MPI_THREAD_SINGLE is enough. Where a rank
 * dies, most launchers end the others and name it. Where it hangs, the time-out does: the ranks that wait
 * tell each other that they are there, and name the ones that do not.
 */
#ifndef CLEANCLIP_MPI_H
#define CLEANCLIP_MPI_H

#include <mpi.h>

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleanclip/communicator.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A communicator of the library on one of MPI's. */
typedef struct cleanclip_mpi {
  cleanclip_communicator communicator; /**< For the member of options; valid as long as this struct. */
  MPI_Comm comm;                       /**< The library's own, a duplicate. */
  double timeout_seconds;              /**< How long a collective may wait; 0: for ever. */
  char problem[512];                   /**< What went wrong. */
} cleanclip_mpi;

/* MPI counts with int: what is larger is divided. */
enum { CLEANCLIP_MPI_PIECE = 1 << 28, CLEANCLIP_MPI_PRESENT = 7001 };

static inline int32_t cleanclip_mpi_fail(cleanclip_mpi *ranks, int code) {
  int length = 0;
  ranks->problem[0] = '\0';
  if (MPI_Error_string(code, ranks->problem, &length) != MPI_SUCCESS || length == 0) {
    snprintf(ranks->problem, sizeof ranks->problem, "MPI error %d", code);
  }
  ranks->communicator.problem = ranks->problem;
  return 1;
}

/* Tells every other rank that this one waits. */
static inline void cleanclip_mpi_tell(cleanclip_mpi *ranks) {
  static char message = 1; /* static: a rank that hangs may read it after this call. */
  for (int32_t other = 0; other < ranks->communicator.size; ++other) {
    MPI_Request request;
    if (other == ranks->communicator.rank) continue;
    MPI_Isend(&message, 1, MPI_BYTE, other, CLEANCLIP_MPI_PRESENT, ranks->comm, &request);
    MPI_Request_free(&request);
  }
}

/* Names the ranks that do not wait too, after the time by which one may be behind another. */
static inline int32_t cleanclip_mpi_time_out(cleanclip_mpi *ranks) {
  const int32_t size = ranks->communicator.size;
  const double end = MPI_Wtime() + ranks->timeout_seconds;
  char *is_here = (char *)calloc((size_t)size, 1);
  int32_t missing = is_here == NULL ? 0 : size - 1;
  cleanclip_mpi_tell(ranks);
  while (missing > 0 && MPI_Wtime() < end) {
    int has_come = 0;
    char message;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, CLEANCLIP_MPI_PRESENT, ranks->comm, &has_come, &status);
    if (!has_come) {
      sched_yield();
      continue;
    }
    MPI_Recv(&message, 1, MPI_BYTE, status.MPI_SOURCE, CLEANCLIP_MPI_PRESENT, ranks->comm,
             MPI_STATUS_IGNORE);
    if (!is_here[status.MPI_SOURCE]) --missing;
    is_here[status.MPI_SOURCE] = 1;
  }
  snprintf(ranks->problem, sizeof ranks->problem,
           missing > 0 ? "no answer within %g s of rank" : "no answer within %g s",
           ranks->timeout_seconds);
  for (int32_t other = 0; missing > 0 && other < size; ++other) {
    const size_t length = strlen(ranks->problem);
    if (other == ranks->communicator.rank || is_here[other]) continue;
    snprintf(ranks->problem + length, sizeof ranks->problem - length, " %d", (int)other);
  }
  free(is_here);
  ranks->communicator.problem = ranks->problem;
  return 1;
}

/* Waits for a collective that has begun; `code` is what beginning it returned. */
static inline int32_t cleanclip_mpi_wait(cleanclip_mpi *ranks, int code, MPI_Request *request) {
  const double begin = MPI_Wtime();
  for (int64_t tries = 0; code == MPI_SUCCESS; ++tries) {
    int is_done = 0;
    code = MPI_Test(request, &is_done, MPI_STATUS_IGNORE);
    if (is_done && code == MPI_SUCCESS) return 0;
    if (code != MPI_SUCCESS || tries < 1000) continue;
    if (ranks->timeout_seconds > 0 && MPI_Wtime() - begin > ranks->timeout_seconds) {
      return cleanclip_mpi_time_out(ranks);
    }
    /* Ranks on one machine share its cores. */
    sched_yield();
  }
  return cleanclip_mpi_fail(ranks, code);
}

static inline int32_t cleanclip_mpi_all_reduce(float *values, int64_t count, void *user_data) {
  cleanclip_mpi *ranks = (cleanclip_mpi *)user_data;
  for (int64_t start = 0; start < count; start += CLEANCLIP_MPI_PIECE) {
    const int64_t rest = count - start;
    const int piece = rest < CLEANCLIP_MPI_PIECE ? (int)rest : CLEANCLIP_MPI_PIECE;
    MPI_Request request;
    const int code = MPI_Iallreduce(MPI_IN_PLACE, values + start, piece, MPI_FLOAT, MPI_SUM,
                                    ranks->comm, &request);
    if (cleanclip_mpi_wait(ranks, code, &request) != 0) return 1;
  }
  return 0;
}

static inline int32_t cleanclip_mpi_all_gather(const void *bytes, int64_t byte_count, void *all_bytes,
                                               void *user_data) {
  cleanclip_mpi *ranks = (cleanclip_mpi *)user_data;
  MPI_Request request;
  if (byte_count > INT32_MAX) {
    snprintf(ranks->problem, sizeof ranks->problem, "%lld bytes of a rank, of which MPI counts 2^31",
             (long long)byte_count);
    ranks->communicator.problem = ranks->problem;
    return 1;
  }
  return cleanclip_mpi_wait(ranks,
                            MPI_Iallgather(bytes, (int)byte_count, MPI_BYTE, all_bytes,
                                           (int)byte_count, MPI_BYTE, ranks->comm, &request),
                            &request);
}

static inline int32_t cleanclip_mpi_broadcast(void *bytes, int64_t byte_count, int32_t root,
                                              void *user_data) {
  cleanclip_mpi *ranks = (cleanclip_mpi *)user_data;
  for (int64_t start = 0; start < byte_count; start += CLEANCLIP_MPI_PIECE) {
    const int64_t rest = byte_count - start;
    const int piece = rest < CLEANCLIP_MPI_PIECE ? (int)rest : CLEANCLIP_MPI_PIECE;
    MPI_Request request;
    const int code =
        MPI_Ibcast((char *)bytes + start, piece, MPI_BYTE, root, ranks->comm, &request);
    if (cleanclip_mpi_wait(ranks, code, &request) != 0) return 1;
  }
  return 0;
}

/**
 * Makes a communicator; every rank of `comm` calls it.
 *
 * @param[out] ranks Must stay where it is until cleanclip_mpi_free().
 * @param[in] comm Is duplicated, so that the program's messages and the library's do not meet.
 * @param[in] timeout_seconds How long a rank waits for the others in one collective, longer than the
 *   difference of their steps; 0: for ever. Missing ranks are named after twice the time.
 * @return MPI_SUCCESS, or MPI's error.
 */
static inline int cleanclip_mpi_init(cleanclip_mpi *ranks, MPI_Comm comm, double timeout_seconds) {
  int rank = 0, size = 1;
  int code = MPI_Comm_dup(comm, &ranks->comm);
  if (code != MPI_SUCCESS) return code;
  MPI_Comm_set_errhandler(ranks->comm, MPI_ERRORS_RETURN);
  MPI_Comm_rank(ranks->comm, &rank);
  MPI_Comm_size(ranks->comm, &size);
  cleanclip_communicator_init(&ranks->communicator, sizeof ranks->communicator);
  ranks->communicator.rank = (int32_t)rank;
  ranks->communicator.size = (int32_t)size;
  ranks->communicator.all_reduce = cleanclip_mpi_all_reduce;
  ranks->communicator.all_gather = cleanclip_mpi_all_gather;
  ranks->communicator.broadcast = cleanclip_mpi_broadcast;
  ranks->communicator.user_data = ranks;
  ranks->timeout_seconds = timeout_seconds;
  ranks->problem[0] = '\0';
  return MPI_SUCCESS;
}

/** Frees the duplicate; every rank calls it, and none after a collective that failed. */
static inline void cleanclip_mpi_free(cleanclip_mpi *ranks) { MPI_Comm_free(&ranks->comm); }

#ifdef __cplusplus
}
#endif

#endif
