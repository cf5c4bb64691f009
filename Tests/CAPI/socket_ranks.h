/* Ranks that are processes of this program: collectives through sockets to rank 0, with a time-out. */
#ifndef CLEANCLIP_SOCKET_RANKS_H
#define CLEANCLIP_SOCKET_RANKS_H

#include <cleanclip.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_RANKS = 4, MOST_STEPS = 64, WEIGHTS = 6144 };

/* What a rank leaves for the parent. */
typedef struct rank_result {
  int32_t is_done;
  cleanclip_status status;
  char error[512];
  int64_t steps;
  double losses[MOST_STEPS];
  float weights[WEIGHTS];
} rank_result;

/* One rank's side: rank 0 has a socket to each of the others, these have one to it. */
typedef struct socket_ranks {
  cleanclip_communicator communicator;
  int sockets[MOST_RANKS];
  int32_t lost; /* The rank that does not answer; -1 for none. */
  char problem[128];
} socket_ranks;

static inline int transfer(int socket, void *bytes, int64_t count, int is_sending) {
  char *position = (char *)bytes;
  while (count > 0) {
    const ssize_t done = is_sending ? send(socket, position, (size_t)count, MSG_NOSIGNAL)
                                    : recv(socket, position, (size_t)count, 0);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return 0;
    position += done;
    count -= done;
  }
  return 1;
}

static inline int32_t fail_rank(socket_ranks *ranks, int32_t lost) {
  snprintf(ranks->problem, sizeof ranks->problem, "rank %d does not answer", (int)lost);
  ranks->communicator.problem = ranks->problem;
  ranks->lost = lost;
  return 1;
}

/* Brings the bytes of all ranks to rank 0. */
static inline int32_t collect(socket_ranks *ranks, const void *bytes, int64_t count, char *all) {
  const int32_t size = ranks->communicator.size;
  if (ranks->communicator.rank > 0) {
    return transfer(ranks->sockets[0], (void *)bytes, count, 1) ? 0 : fail_rank(ranks, 0);
  }
  memcpy(all, bytes, (size_t)count);
  for (int32_t other = 1; other < size; ++other) {
    if (!transfer(ranks->sockets[other], all + other * count, count, 0)) {
      fail_rank(ranks, other);
      break;
    }
  }
  return 0;
}

/* Brings what rank 0 made of them to all ranks, or the number of the lost one. */
static inline int32_t distribute(socket_ranks *ranks, void *bytes, int64_t count) {
  int32_t lost = ranks->lost;
  if (ranks->communicator.rank > 0) {
    if (!transfer(ranks->sockets[0], &lost, sizeof lost, 0)) return fail_rank(ranks, 0);
    if (lost >= 0) return fail_rank(ranks, lost);
    return transfer(ranks->sockets[0], bytes, count, 0) ? 0 : fail_rank(ranks, 0);
  }
  for (int32_t other = 1; other < ranks->communicator.size; ++other) {
    transfer(ranks->sockets[other], &lost, sizeof lost, 1);
    if (lost < 0) transfer(ranks->sockets[other], bytes, count, 1);
  }
  return lost >= 0;
}

static inline int32_t socket_all_reduce(float *values, int64_t count, void *user_data) {
  socket_ranks *ranks = (socket_ranks *)user_data;
  const int32_t size = ranks->communicator.size;
  float *all = (float *)malloc((size_t)(size * count) * sizeof(float) + 1);
  int32_t result = collect(ranks, values, count * 4, (char *)all);
  if (ranks->communicator.rank == 0 && ranks->lost < 0) {
    for (int64_t i = 0; i < count; ++i) {
      for (int32_t other = 1; other < size; ++other) values[i] += all[other * count + i];
    }
  }
  free(all);
  return result != 0 ? result : distribute(ranks, values, count * 4);
}

static inline int32_t socket_all_gather(const void *bytes, int64_t byte_count, void *all_bytes,
                                        void *user_data) {
  socket_ranks *ranks = (socket_ranks *)user_data;
  const int32_t result = collect(ranks, bytes, byte_count, (char *)all_bytes);
  return result != 0 ? result
                     : distribute(ranks, all_bytes, ranks->communicator.size * byte_count);
}

static inline int32_t socket_broadcast(void *bytes, int64_t byte_count, int32_t root,
                                       void *user_data) {
  socket_ranks *ranks = (socket_ranks *)user_data;
  char *all = (char *)malloc((size_t)(ranks->communicator.size * byte_count) + 1);
  const int32_t result = collect(ranks, bytes, byte_count, all);
  if (ranks->communicator.rank == 0) memcpy(bytes, all + root * byte_count, (size_t)byte_count);
  free(all);
  return result != 0 ? result : distribute(ranks, bytes, byte_count);
}

/* The work of one rank, in a process of its own. */
typedef void (*rank_work)(const cleanclip_communicator *communicator, rank_result *result,
                          void *argument);

/* Runs ranks to their end and returns their results, `size` of them; rank 0 waits `seconds` for an
   answer, the others longer. A rank that is still there when the others are done is killed. */
static inline rank_result *run_ranks(int32_t size, int seconds, rank_work work, void *argument) {
  rank_result *results = (rank_result *)mmap(NULL, sizeof(rank_result) * MOST_RANKS,
                                             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int pairs[MOST_RANKS][2];
  pid_t children[MOST_RANKS];
  if (results == MAP_FAILED) abort();
  for (int32_t rank = 1; rank < size; ++rank) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[rank]) != 0) abort();
  }
  fflush(NULL);
  for (int32_t rank = 0; rank < size; ++rank) {
    children[rank] = fork();
    if (children[rank] != 0) continue;
    socket_ranks ranks;
    memset(&ranks, 0, sizeof ranks);
    cleanclip_communicator_init(&ranks.communicator, sizeof ranks.communicator);
    ranks.communicator.rank = rank;
    ranks.communicator.size = size;
    ranks.communicator.all_reduce = socket_all_reduce;
    ranks.communicator.all_gather = socket_all_gather;
    ranks.communicator.broadcast = socket_broadcast;
    ranks.communicator.user_data = &ranks;
    ranks.lost = -1;
    for (int32_t other = 1; other < size; ++other) {
      const struct timeval wait = {rank == 0 ? seconds : 3 * seconds, 0};
      const int own = rank == 0 ? 0 : 1;
      if (rank == 0 || rank == other) {
        ranks.sockets[rank == 0 ? other : 0] = pairs[other][own];
        setsockopt(pairs[other][own], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        close(pairs[other][1 - own]);
      } else {
        close(pairs[other][0]);
        close(pairs[other][1]);
      }
    }
    cleanclip_set_num_threads(1);
    work(&ranks.communicator, &results[rank], argument);
    results[rank].is_done = 1;
    _exit(0);
  }
  for (int32_t rank = 1; rank < size; ++rank) {
    close(pairs[rank][0]);
    close(pairs[rank][1]);
  }
  waitpid(children[0], NULL, 0);
  for (int32_t rank = 1; rank < size; ++rank) {
    int status = 0;
    /* Those that live are done soon: rank 0 is gone. */
    for (int tries = 0; tries < 300 && waitpid(children[rank], &status, WNOHANG) == 0; ++tries) {
      usleep(10000);
    }
    if (kill(children[rank], 0) == 0) {
      kill(children[rank], SIGKILL);
      waitpid(children[rank], &status, 0);
    }
  }
  return results;
}

static inline void free_results(rank_result *results) {
  munmap(results, sizeof(rank_result) * MOST_RANKS);
}

#endif
