/* The job: a dataset of the host's, training with progress, cancelling, resuming, evaluation. */
#include "support.h"

#include <math.h>

static cleanclip_sanitize_options short_options(void) {
  cleanclip_sanitize_options options;
  cleanclip_sanitize_options_init(&options, sizeof options);
  options.epochs = 2;
  options.batch_size = 8;
  options.warmup_steps = 2;
  options.learning_rate = 1e-3f;
  options.precision = CLEANCLIP_PRECISION_F32;
  return options;
}

static int32_t count_steps(const cleanclip_progress *progress, void *user_data) {
  int64_t *last = (int64_t *)user_data;
  CHECK(progress->struct_size == sizeof *progress);
  CHECK(progress->step == *last + 1);
  CHECK(progress->loss == progress->loss);
  *last = progress->step;
  return 0;
}

static int32_t cancel_at_3(const cleanclip_progress *progress, void *user_data) {
  (void)user_data;
  return progress->step == 3 ? 17 : 0;
}

static void test_defaults_are_the_papers(void) {
  cleanclip_sanitize_options options;
  cleanclip_sanitize_options_init(&options, sizeof options);
  CHECK(options.struct_size == sizeof options);
  CHECK(options.epochs == 10 && options.batch_size == 64 && options.warmup_steps == 50);
  CHECK(options.learning_rate == 1e-5f && options.weight_decay == 0.1f);
  CHECK(options.clip_weight == 1 && options.inmodal_weight == 1);
  CHECK(options.seed == 0 && options.resume == 0 && options.memory_budget == 0);
  CHECK(options.method == NULL && options.state_directory == NULL);
  CHECK(options.precision == CLEANCLIP_PRECISION_AUTO);
}

static void test_triggers_in_a_list_are_no_null(void) {
  cleanclip_model *model = tiny_model(1);
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options = short_options();
  const cleanclip_trigger *none[2] = {NULL, NULL};
  options.method = "unlearn";
  options.triggers = none;
  options.trigger_count = 2;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, NULL, dataset, &options, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "options->triggers[0] is NULL") != NULL);
  options.triggers = NULL;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, NULL, dataset, &options, NULL, NULL, NULL));
  options.trigger_count = -1;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, NULL, dataset, &options, NULL, NULL, NULL));
  cleanclip_dataset_free(dataset);
  cleanclip_model_free(model);
}

static int32_t cancel_in_phase(const cleanclip_progress *progress, void *user_data) {
  (void)user_data;
  CHECK(progress->step == 0 && progress->phase != NULL);
  return 1;
}

static void test_a_history_may_be_empty(void) {
  cleanclip_model *model = tiny_model(1);
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options;
  cleanclip_history *history = NULL;
  cleanclip_progress progress;
  cleanclip_sanitize_options_init(&options, sizeof options);
  options.method = "unlearn";
  CHECK_STATUS(CLEANCLIP_CANCELLED, cleanclip_sanitize(model, NULL, dataset, &options,
                                                       cancel_in_phase, NULL, &history));
  CHECK(history != NULL && cleanclip_history_count(history) == 0);
  cleanclip_progress_init(&progress, sizeof progress);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_history_step(history, 0, &progress));
  CHECK(strstr(cleanclip_last_error(), "expected none, because there are none, got 0") != NULL);
  cleanclip_history_free(history);
  cleanclip_dataset_free(dataset);
  cleanclip_model_free(model);
}

/* What a count promises must be there. */
static void test_lists_of_a_count_are_no_null(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  const char *classes[4] = {"red", "green", "blue", "black"};
  cleanclip_sanitize_options sanitize;
  cleanclip_check_model_options check;
  cleanclip_evaluate_options evaluate;
  cleanclip_evaluation *evaluation = NULL;
  cleanclip_check *result = NULL;
  const float zeros[4 * TINY_EMBED_DIM] = {0};

  cleanclip_sanitize_options_init(&sanitize, sizeof sanitize);
  sanitize.method = "unlearn";
  sanitize.class_count = 4;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, tokenizer, dataset, &sanitize, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "options->classes is NULL") != NULL);
  sanitize.class_count = 0;
  sanitize.class_features = zeros;
  sanitize.class_embed_dim = TINY_EMBED_DIM;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, tokenizer, dataset, &sanitize, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "class_features have no effect without classes") != NULL);
  sanitize.classes = classes;
  sanitize.class_count = 4;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_sanitize(model, tokenizer, dataset, &sanitize, NULL, NULL, NULL));
  CHECK(strstr(cleanclip_last_error(), "row 0 ('red') is all zeros") != NULL);

  cleanclip_check_model_options_init(&check, sizeof check);
  check.template_count = 1;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_model(model, &check, NULL, NULL, &result));
  CHECK(strstr(cleanclip_last_error(), "options->templates is NULL") != NULL);

  cleanclip_evaluate_options_init(&evaluate, sizeof evaluate);
  evaluate.class_count = 4;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_evaluate(model, tokenizer, dataset, &evaluate,
                                                              NULL, NULL, &evaluation));
  evaluate.classes = classes;
  evaluate.template_count = 2;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_evaluate(model, tokenizer, dataset, &evaluate,
                                                              NULL, NULL, &evaluation));
  CHECK(strstr(cleanclip_last_error(), "options->templates is NULL") != NULL);
  evaluate.template_count = 0;
  evaluate.classes_path = "classes.txt";
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_evaluate(model, tokenizer, dataset, &evaluate,
                                                              NULL, NULL, &evaluation));
  CHECK(strstr(cleanclip_last_error(), "are both given") != NULL);
  CHECK(evaluation == NULL && result == NULL);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_training_changes_the_model_and_tells_how(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  const cleanclip_sanitize_options options = short_options();
  cleanclip_history *history = NULL;
  cleanclip_progress progress;
  int64_t steps = 0;
  size_t length = 0;
  float before[32], after[32];

  CHECK(cleanclip_dataset_count(dataset) == 32);
  CHECK_OK(cleanclip_model_read_parameter(model, "visual.ln_post.bias", before, 32));
  CHECK_OK(cleanclip_sanitize(model, tokenizer, dataset, &options, count_steps, &steps, &history));
  CHECK(steps == 8);
  CHECK(source.calls >= 64);
  CHECK_OK(cleanclip_model_read_parameter(model, "visual.ln_post.bias", after, 32));
  CHECK(memcmp(before, after, sizeof before) != 0);
  CHECK(cleanclip_history_count(history) == 8);
  cleanclip_progress_init(&progress, sizeof progress);
  CHECK_OK(cleanclip_history_step(history, 7, &progress));
  CHECK(progress.step == 8 && progress.steps == 8 && progress.epoch == 2 && progress.epochs == 2);
  CHECK(fabs(progress.loss - progress.crossmodal_loss - progress.inmodal_loss) < 1e-4);
  CHECK(progress.logit_scale >= 1 && progress.logit_scale <= 100.01);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_history_step(history, 8, &progress));
  CHECK_OK(cleanclip_history_json(history, NULL, 0, &length));
  CHECK(length > 500);

  /* The history outlives everything that it was made with. */
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
  CHECK_OK(cleanclip_history_step(history, 0, &progress));
  cleanclip_history_free(history);
}

/* Trains from the same start; returns a number that depends on all of the weights' history. */
static float train(const char *state, int32_t resume, cleanclip_progress_callback callback,
                   cleanclip_status expected) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options = short_options();
  cleanclip_history *history = NULL;
  float bias[32];
  options.state_directory = state;
  options.resume = resume;
  CHECK_STATUS(expected,
               cleanclip_sanitize(model, tokenizer, dataset, &options, callback, NULL, &history));
  CHECK(history != NULL);
  if (expected == CLEANCLIP_CANCELLED) CHECK(cleanclip_history_count(history) == 3);
  CHECK_OK(cleanclip_model_read_parameter(model, "visual.ln_post.bias", bias, 32));
  cleanclip_history_free(history);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
  return bias[5];
}

static void test_cancelled_runs_resume_to_the_same_bits(void) {
  const float whole = train(NULL, 0, NULL, CLEANCLIP_OK);
  const char *state = scratch("state");
  const float part = train(state, 0, cancel_at_3, CLEANCLIP_CANCELLED);
  const float resumed = train(state, 1, NULL, CLEANCLIP_OK);
  CHECK(part != whole);
  CHECK(resumed == whole);
}

static void test_broken_rows_are_counted_and_named(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  const cleanclip_sanitize_options options = short_options();
  cleanclip_history *history = NULL;
  char text[65536];
  source.broken_index = 11;
  CHECK_OK(cleanclip_sanitize(model, tokenizer, dataset, &options, NULL, NULL, &history));
  CHECK_OK(cleanclip_history_json(history, text, sizeof text, NULL));
  CHECK(strstr(text, "\"bad_rows\": 1") != NULL || strstr(text, "\"bad_rows\":1") != NULL);
  cleanclip_history_free(history);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_options_are_checked(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options;
#define REFUSED(member, value)                                                            \
  do {                                                                                    \
    options = short_options();                                                            \
    options.member = value;                                                               \
    CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,                                              \
                 cleanclip_sanitize(model, tokenizer, dataset, &options, NULL, NULL, NULL)); \
  } while (0)
  REFUSED(method, "magic");
  REFUSED(epochs, 0);
  REFUSED(epochs, -1);
  REFUSED(epochs, INT64_MAX);
  REFUSED(batch_size, 1);
  REFUSED(batch_size, 33); /* more than there are pairs */
  REFUSED(batch_size, INT64_MIN);
  REFUSED(warmup_steps, -1);
  REFUSED(memory_budget, -1);
  REFUSED(learning_rate, 0);
  REFUSED(learning_rate, -1);
  REFUSED(learning_rate, NAN);
  REFUSED(learning_rate, INFINITY);
  REFUSED(weight_decay, NAN);
  REFUSED(clip_weight, -1);
  REFUSED(inmodal_weight, NAN);
  REFUSED(precision, -1);
  REFUSED(resume, 1); /* without a state directory */
#undef REFUSED
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_supervised_training_needs_no_words(void) {
  cleanclip_model *model = tiny_model(1);
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32);
  cleanclip_sanitize_options options = short_options();
  options.method = "supervised";
  options.head_path = scratch("head.safetensors");
  CHECK_OK(cleanclip_sanitize(model, NULL, dataset, &options, NULL, NULL, NULL));
  CHECK(access(options.head_path, R_OK) == 0);
  cleanclip_dataset_free(dataset);
  cleanclip_model_free(model);
}

static int32_t train_again(const cleanclip_progress *progress, void *user_data) {
  void **things = (void **)user_data;
  (void)progress;
  CHECK_STATUS(CLEANCLIP_STATE,
               cleanclip_sanitize((cleanclip_model *)things[0], (cleanclip_tokenizer *)things[1],
                                  (cleanclip_dataset *)things[2], NULL, NULL, NULL, NULL));
  return 1;
}

static void test_a_model_in_training_is_not_trained_again(void) {
  void *things[3];
  pair_source source;
  const cleanclip_sanitize_options options = short_options();
  things[0] = tiny_model(1);
  things[1] = tiny_tokenizer();
  things[2] = tiny_dataset(&source, 32);
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_sanitize((cleanclip_model *)things[0], (cleanclip_tokenizer *)things[1],
                                  (cleanclip_dataset *)things[2], &options, train_again, things,
                                  NULL));
  cleanclip_dataset_free((cleanclip_dataset *)things[2]);
  cleanclip_tokenizer_free((cleanclip_tokenizer *)things[1]);
  cleanclip_model_free((cleanclip_model *)things[0]);
}

int main(void) {
  RUN(test_defaults_are_the_papers);
  RUN(test_training_changes_the_model_and_tells_how);
  RUN(test_triggers_in_a_list_are_no_null);
  RUN(test_a_history_may_be_empty);
  RUN(test_lists_of_a_count_are_no_null);
  RUN(test_cancelled_runs_resume_to_the_same_bits);
  RUN(test_broken_rows_are_counted_and_named);
  RUN(test_options_are_checked);
  RUN(test_supervised_training_needs_no_words);
  RUN(test_a_model_in_training_is_not_trained_again);
  remove_scratch();
  return finish();
}
