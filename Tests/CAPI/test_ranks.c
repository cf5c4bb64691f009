/* Sanitizing over ranks, which are processes: the same numbers as one, disagreement, faults, resuming. */
#include "support.h"

#include "socket_ranks.h"

#include <math.h>

/* Written once: ranks that read it while another writes it would find half of it. */
static const char *vocabulary = NULL;

/* What the ranks of a test do. */
typedef struct job {
  const char *method;
  const char *state_directory; /* Of rank 0. */
  int32_t resume;
  int32_t faulty_rank; /* Something happens to it in step 5; -1 for none. */
  int signal;          /* What: this signal. */
  int64_t other_epochs; /* Of the faulty rank, when not 0. */
  int32_t lacks_data;  /* The faulty rank has no dataset. */
} job;

typedef struct follower {
  const job *job;
  rank_result *result;
  int32_t rank;
} follower;

static int32_t follow(const cleanclip_progress *progress, void *user_data) {
  const follower *self = (const follower *)user_data;
  if (progress->step <= MOST_STEPS) self->result->losses[progress->step - 1] = progress->loss;
  self->result->steps = progress->step;
  if (self->rank == self->job->faulty_rank && self->job->signal != 0 && progress->step == 5) {
    kill(getpid(), self->job->signal);
  }
  return 0;
}

static void sanitize_as_rank(const cleanclip_communicator *communicator, rank_result *result,
                             void *argument) {
  const job *work = (const job *)argument;
  const int32_t rank = communicator == NULL ? 0 : communicator->rank;
  const int is_faulty = rank == work->faulty_rank;
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = NULL;
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options;
  follower self = {work, result, rank};
  cleanclip_history *history = NULL;
  cleanclip_progress progress;
  CHECK_OK(cleanclip_tokenizer_load(vocabulary, &tokenizer));
  cleanclip_sanitize_options_init(&options, sizeof options);
  options.method = work->method;
  options.epochs = is_faulty && work->other_epochs != 0 ? work->other_epochs : 3;
  options.batch_size = 8;
  options.warmup_steps = 2;
  options.learning_rate = 1e-4f;
  options.precision = CLEANCLIP_PRECISION_F32;
  options.save_every = 2;
  options.communicator = communicator;
  if (rank == 0) {
    options.state_directory = work->state_directory;
    options.resume = work->resume;
  }
  result->status =
      cleanclip_sanitize(model, tokenizer, is_faulty && work->lacks_data ? NULL : dataset, &options,
                         follow, &self, &history);
  snprintf(result->error, sizeof result->error, "%s", cleanclip_last_error());
  cleanclip_progress_init(&progress, sizeof progress);
  for (int64_t step = 0; step < cleanclip_history_count(history) && step < MOST_STEPS; ++step) {
    CHECK_OK(cleanclip_history_step(history, step, &progress));
    result->losses[step] = progress.loss;
    result->steps = step + 1;
  }
  CHECK_OK(cleanclip_model_read_parameter(model, "visual.conv1.weight", result->weights, WEIGHTS));
  cleanclip_history_free(history);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void check_equal(const rank_result *ranks, int32_t size, const rank_result *whole) {
  for (int32_t rank = 0; rank < size; ++rank) {
    double difference = 0, norm = 0;
    if (ranks[rank].status != CLEANCLIP_OK) fprintf(stderr, "rank %d: %s\n", rank, ranks[rank].error);
    CHECK(ranks[rank].status == CLEANCLIP_OK && ranks[rank].steps == 12);
    for (int64_t step = 0; step < 12; ++step) {
      CHECK(fabs(ranks[rank].losses[step] - whole->losses[step]) <= 1e-5 * whole->losses[step]);
    }
    for (int i = 0; i < WEIGHTS; ++i) {
      difference += pow(ranks[rank].weights[i] - whole->weights[i], 2);
      norm += pow(whole->weights[i], 2);
    }
    CHECK(sqrt(difference) <= 1e-5 * sqrt(norm) && norm > 0);
    CHECK(memcmp(ranks[rank].weights, ranks[0].weights, sizeof ranks[0].weights) == 0);
  }
}

static void test_ranks_equal_one_process(void) {
  const char *const methods[] = {"cleanclip", "supervised"};
  for (int method = 0; method < 2; ++method) {
    job work = {methods[method], NULL, 0, -1, 0, 0, 0};
    static rank_result whole;
    memset(&whole, 0, sizeof whole);
    sanitize_as_rank(NULL, &whole, &work);
    CHECK(whole.status == CLEANCLIP_OK && whole.steps == 12);
    for (int32_t size = 2; size <= 4; size += 2) {
      rank_result *ranks = run_ranks(size, 60, sanitize_as_rank, &work);
      check_equal(ranks, size, &whole);
      free_results(ranks);
    }
  }
}

static void test_ranks_that_do_not_agree_are_refused(void) {
  job work = {"cleanclip", NULL, 0, 1, 0, 4, 0};
  rank_result *ranks = run_ranks(4, 60, sanitize_as_rank, &work);
  for (int32_t rank = 0; rank < 4; ++rank) {
    CHECK(ranks[rank].status == CLEANCLIP_INVALID_ARGUMENT && ranks[rank].steps == 0);
    CHECK(strstr(ranks[rank].error, "rank 1: epochs: expected 3 as on rank 0, got 4") != NULL);
  }
  free_results(ranks);
}

static void test_wrong_arguments_of_one_rank_end_all(void) {
  job work = {"cleanclip", NULL, 0, 2, 0, 0, 1};
  rank_result *ranks = run_ranks(4, 60, sanitize_as_rank, &work);
  CHECK(strstr(ranks[2].error, "dataset is NULL") == ranks[2].error + strlen("cleanclip_sanitize: "));
  for (int32_t rank = 0; rank < 2; ++rank) {
    CHECK(ranks[rank].status == CLEANCLIP_INVALID_ARGUMENT);
    CHECK(strstr(ranks[rank].error, "rank 2 of 4: cleanclip_sanitize: dataset is NULL") != NULL);
  }
  free_results(ranks);
}

/* A rank is killed, or stopped, in step 5; two ranks resume what four began. */
static void lose_a_rank_and_resume(int signal) {
  char state[300];
  job work = {"cleanclip", state, 0, 2, signal, 0, 0};
  static rank_result whole;
  rank_result *ranks;
  snprintf(state, sizeof state, "%s", scratch(signal == SIGKILL ? "killed" : "stopped"));
  ranks = run_ranks(4, signal == SIGKILL ? 60 : 5, sanitize_as_rank, &work);
  for (int32_t rank = 0; rank < 4; ++rank) {
    if (rank == 2) {
      CHECK(!ranks[rank].is_done);
      continue;
    }
    CHECK(ranks[rank].is_done && ranks[rank].status == CLEANCLIP_IO);
    CHECK(strstr(ranks[rank].error, "rank 2 does not answer") != NULL);
  }
  free_results(ranks);
  work.faulty_rank = -1;
  work.state_directory = NULL;
  memset(&whole, 0, sizeof whole);
  sanitize_as_rank(NULL, &whole, &work);
  work.state_directory = state;
  work.resume = 1;
  ranks = run_ranks(2, 60, sanitize_as_rank, &work);
  check_equal(ranks, 2, &whole);
  free_results(ranks);
}

static void test_a_killed_rank_is_named_and_others_resume(void) { lose_a_rank_and_resume(SIGKILL); }

static void test_a_stopped_rank_times_out_and_others_resume(void) { lose_a_rank_and_resume(SIGSTOP); }

static int32_t fail_without_a_word(const void *bytes, int64_t byte_count, void *all_bytes,
                                   void *user_data) {
  (void)bytes, (void)byte_count, (void)all_bytes, (void)user_data;
  return 7;
}

static void test_communicators_that_cannot_be_are_refused(void) {
  cleanclip_communicator ranks;
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options;
  cleanclip_communicator_init(NULL, sizeof ranks);
  cleanclip_communicator_init(&ranks, sizeof ranks);
  CHECK(ranks.struct_size == sizeof ranks && ranks.rank == 0 && ranks.size == 1);
  CHECK(ranks.all_reduce == NULL && ranks.problem == NULL);
  cleanclip_sanitize_options_init(&options, sizeof options);
  CHECK(options.communicator == NULL && options.sync_batch_norm == 1);
  options.communicator = &ranks;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, tokenizer, dataset, &options, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "options->communicator->all_reduce is NULL") != NULL);
  ranks.all_reduce = socket_all_reduce;
  ranks.all_gather = fail_without_a_word;
  ranks.broadcast = socket_broadcast;
  ranks.rank = 2;
  ranks.size = 2;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, tokenizer, dataset, &options, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "got rank 2 of 2") != NULL);
  ranks.rank = 1;
  options.batch_size = 8;
  CHECK_STATUS(CLEANCLIP_IO,
               cleanclip_sanitize(model, tokenizer, dataset, &options, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "all_gather failed on rank 1") != NULL);
  CHECK(strstr(cleanclip_last_error(), "got result 7") != NULL);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

int main(void) {
  static char path[300];
  snprintf(path, sizeof path, "%s", tiny_vocabulary());
  vocabulary = path;
  RUN(test_ranks_equal_one_process);
  RUN(test_ranks_that_do_not_agree_are_refused);
  RUN(test_wrong_arguments_of_one_rank_end_all);
  RUN(test_a_killed_rank_is_named_and_others_resume);
  RUN(test_a_stopped_rank_times_out_and_others_resume);
  RUN(test_communicators_that_cannot_be_are_refused);
  remove_scratch();
  return finish();
}
