/* Poisoned sets, triggers, what they do to a model, and the report. */
#include "support.h"

static int32_t count_pairs(int64_t done, int64_t total, void *user_data) {
  CHECK(total == 32 && done >= 1 && done <= 32);
  ++*(int64_t *)user_data;
  return 0;
}

static int32_t stop_at_once(int64_t done, int64_t total, void *user_data) {
  (void)done;
  (void)total;
  (void)user_data;
  return 1;
}

static void test_poisoned_sets_evaluate_and_report(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, 32), *poisoned_set = NULL;
  cleanclip_dataset *test_set = NULL;
  cleanclip_trigger_options trigger_options;
  cleanclip_trigger *trigger = NULL;
  cleanclip_poison_options options;
  cleanclip_evaluate_options evaluate;
  cleanclip_evaluation *evaluation = NULL;
  cleanclip_scores scores;
  cleanclip_report_options report;
  const char *classes[4] = {"red", "green", "blue", "black"};
  const char *sources[1];
  char csv[4096];
  int64_t poisoned = 0, heard = 0;
  int i;
  size_t used;

  cleanclip_trigger_options_init(&trigger_options, sizeof trigger_options);
  trigger_options.fixed = 1;
  trigger_options.patch_size = 6;
  CHECK_OK(cleanclip_trigger_load("badnets", &trigger_options, &trigger));

  cleanclip_poison_options_init(&options, sizeof options);
  options.target = "blue";
  options.count = 5;
  options.image_size = TINY_IMAGE_SIZE;
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_dataset_poison(dataset, trigger, &options, scratch("poisoned.tar"), NULL,
                                        stop_at_once, NULL, &poisoned));
  CHECK(access(scratch("poisoned.tar"), F_OK) != 0);
  CHECK_OK(cleanclip_dataset_poison(dataset, trigger, &options, scratch("poisoned.csv"),
                                    scratch("truth.csv"), count_pairs, &heard, &poisoned));
  CHECK(poisoned == 5 && heard == 32);
  sources[0] = scratch("poisoned.csv");
  CHECK_OK(cleanclip_dataset_open(sources, 1, NULL, &poisoned_set));
  CHECK(cleanclip_dataset_count(poisoned_set) == 32);
  cleanclip_dataset_free(poisoned_set);

  /* The images of the poisoned set, with labels. */
  used = (size_t)snprintf(csv, sizeof csv, "image,label\n");
  for (i = 0; i < 32; ++i) {
    used += (size_t)snprintf(csv + used, sizeof csv - used, "poisoned-images/%07d.png,%d\n", i, i % 4);
  }
  write_file(scratch("test.csv"), csv);
  cleanclip_evaluate_options_init(&evaluate, sizeof evaluate);
  sources[0] = scratch("test.csv");
  CHECK_OK(cleanclip_dataset_open(sources, 1, NULL, &test_set));
  evaluate.classes = classes;
  evaluate.class_count = 4;
  evaluate.trigger = trigger;
  evaluate.target = "blue";
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_evaluate(model, tokenizer, test_set, &evaluate, stop_at_once, NULL,
                                  &evaluation));
  CHECK(evaluation == NULL);
  CHECK_OK(cleanclip_evaluate(model, tokenizer, test_set, &evaluate, NULL, NULL, &evaluation));
  cleanclip_scores_init(&scores, sizeof scores);
  CHECK_OK(cleanclip_evaluation_scores(evaluation, &scores));
  CHECK(scores.images == 32 && scores.attacked_images == 24 && scores.skipped_images == 0);
  CHECK(scores.clean_accuracy[CLEANCLIP_TOP1].value >= 0);
  CHECK(scores.clean_accuracy[CLEANCLIP_TOP1].low <= scores.clean_accuracy[CLEANCLIP_TOP1].value);
  CHECK(scores.clean_accuracy[CLEANCLIP_TOP1].high >= scores.clean_accuracy[CLEANCLIP_TOP1].value);
  CHECK(scores.clean_accuracy[CLEANCLIP_TOP10].value == 1);

  cleanclip_report_options_init(&report, sizeof report);
  report.model = model;
  report.before = evaluation;
  CHECK_OK(cleanclip_report_write(&report, scratch("report.html")));
  CHECK_OK(cleanclip_report_write(&report, scratch("report.json")));
  evaluate.target = "purple";
  cleanclip_evaluation_free(evaluation);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_evaluate(model, tokenizer, test_set, &evaluate, NULL, NULL, &evaluation));
  evaluate.target = "blue";
  /* Pairs of the host that have labels. */
  CHECK_OK(cleanclip_evaluate(model, tokenizer, dataset, &evaluate, NULL, NULL, &evaluation));
  CHECK_OK(cleanclip_evaluation_scores(evaluation, &scores));
  CHECK(scores.images == 32 && scores.skipped_images == 0);
  cleanclip_evaluation_free(evaluation);
  cleanclip_dataset_free(test_set);
  cleanclip_trigger_free(trigger);
  cleanclip_dataset_free(dataset);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

static void test_triggers_repeat_by_seed(void) {
  cleanclip_trigger_options options;
  cleanclip_trigger *trigger = NULL;
  static const char *const names[] = {"badnets", "blended", "sig", "wanet", "label-consistent"};
  size_t n;
  cleanclip_trigger_options_init(&options, sizeof options);
  options.seed = 9;
  for (n = 0; n < sizeof names / sizeof *names; ++n) {
    static uint8_t a[2 * 40 * 40 * 3], b[2 * 40 * 40 * 3], clean[2 * 40 * 40 * 3];
    size_t i;
    for (i = 0; i < sizeof a; ++i) a[i] = b[i] = clean[i] = (uint8_t)(i * 7 % 251);
    CHECK_OK(cleanclip_trigger_load(names[n], &options, &trigger));
    CHECK_OK(cleanclip_trigger_apply(trigger, a, 2, 0, 40, 40));
    /* One at a time gives the same. */
    CHECK_OK(cleanclip_trigger_apply(trigger, b, 1, 0, 40, 40));
    CHECK_OK(cleanclip_trigger_apply(trigger, b + sizeof b / 2, 1, 1, 40, 40));
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(memcmp(a, clean, sizeof a) != 0);
    cleanclip_trigger_free(trigger);
  }
}

int main(void) {
  RUN(test_poisoned_sets_evaluate_and_report);
  RUN(test_triggers_repeat_by_seed);
  remove_scratch();
  return finish();
}
