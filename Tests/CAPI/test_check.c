/* The checks: a model, a dataset with features of the host's, images against a bank. */
#include "support.h"

static cleanclip_check_model_options short_options(void) {
  cleanclip_check_model_options options;
  cleanclip_check_model_options_init(&options, sizeof options);
  options.image_limit = 24;
  options.steps = 3;
  options.batch_size = 4;
  options.nouns = 0;
  return options;
}

/* Numbers that are spread out, the same on every machine. */
static float spread(int64_t index) { return (float)((index * 7919) % 1009) / 1009.0f - 0.5f; }

static int32_t cancel_at_14(int64_t done, int64_t of, void *user_data) {
  CHECK(done <= of);
  *(int64_t *)user_data = done;
  return done == 14;
}

static void test_defaults(void) {
  cleanclip_check_model_options options;
  cleanclip_check_data_options data;
  cleanclip_check_model_options_init(&options, sizeof options);
  CHECK(options.struct_size == sizeof options && options.nouns == 1);
  CHECK(options.text == 0 && options.resume == 0 && options.state_directory == NULL);
  CHECK(options.image_limit == 256 && options.steps == 200 && options.seed == 0);
  cleanclip_check_data_options_init(&data, sizeof data);
  CHECK(data.struct_size == sizeof data && data.image_features == NULL);
  cleanclip_check_model_options_init(NULL, sizeof options);
  cleanclip_check_data_options_init(NULL, sizeof data);
}

static void test_null_arguments_are_errors(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_check *check = (cleanclip_check *)model;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_model(NULL, NULL, NULL, NULL, &check));
  CHECK(check == NULL);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_model(model, NULL, NULL, NULL, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_data(model, NULL, NULL, NULL, NULL, &check));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_json(NULL, NULL, 0, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_write(NULL, "x.html"));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_scores(NULL, NULL, 0));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_bank_create(NULL, 60, 8, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_bank_add_classes(NULL, model, NULL, NULL, 0, NULL, 0));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_bank_set_model(NULL, model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_bank_extend(NULL, NULL, 1, 8, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_input_set(NULL, NULL, 1, 8, 0.1, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_inputs(NULL, NULL, 0, 8, 0.1, NULL, NULL));
  CHECK(cleanclip_check_verdict(NULL) == CLEANCLIP_VERDICT_CANNOT_TELL);
  CHECK(cleanclip_check_score_count(NULL) == 0);
  cleanclip_check_free(NULL);
  cleanclip_bank_free(NULL);
  cleanclip_model_free(model);
}

static void test_a_model_is_checked_cancelled_and_resumed(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_check_model_options options = short_options();
  cleanclip_check *check = NULL;
  int64_t done = 0;
  size_t length = 0;
  char text[16];

  options.state_directory = scratch("check");
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_check_model(model, &options, cancel_at_14, &done, &check));
  CHECK(check == NULL && done == 14);
  options.resume = 1;
  CHECK_OK(cleanclip_check_model(model, &options, NULL, NULL, &check));
  CHECK(cleanclip_check_verdict(check) >= CLEANCLIP_VERDICT_CLEAN);
  CHECK(cleanclip_check_score_count(check) == 0);
  CHECK_OK(cleanclip_check_json(check, NULL, 0, &length));
  CHECK(length > 100);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_json(check, text, sizeof text, &length));
  CHECK_OK(cleanclip_check_write(check, scratch("check.html")));
  CHECK_OK(cleanclip_check_write(check, scratch("check.json")));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_write(check, scratch("check.csv")));
  cleanclip_check_free(check);

  options.steps = 4;
  CHECK_STATUS(CLEANCLIP_STATE, cleanclip_check_model(model, &options, NULL, NULL, &check));
  options = short_options();
  options.image_limit = 3;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_model(model, &options, NULL, NULL, &check));
  options = short_options();
  options.class_searches = 3;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_model(model, &options, NULL, NULL, &check));
  options = short_options();
  options.text = 1;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_model(model, &options, NULL, NULL, &check));
  cleanclip_model_free(model);
}

static void test_findings_and_their_triggers(void) {
  cleanclip_model *model = tiny_model(1);
  cleanclip_check_model_options options = short_options();
  cleanclip_check *check = NULL;
  cleanclip_trigger *trigger = NULL, *loaded = NULL;
  cleanclip_finding finding;
  float sizes[16];
  static uint8_t pixels[32 * 32 * 3], again[32 * 32 * 3];
  const char *path = scratch("recovered.safetensors");
  int triggers = 0;

  options.steps = 12;
  CHECK_OK(cleanclip_check_model(model, &options, NULL, NULL, &check));
  CHECK(cleanclip_check_finding_count(NULL) == 0);
  CHECK(cleanclip_check_finding_count(check) == 4);
  cleanclip_finding_init(NULL, sizeof finding);
  cleanclip_finding_init(&finding, sizeof finding);
  CHECK(finding.struct_size == sizeof finding && finding.kind == NULL);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_finding(check, 4, &finding));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_finding(check, -1, &finding));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_finding(check, 0, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_finding(NULL, 0, &finding));
  for (int64_t i = 0; i < 4; ++i) {
    static const char *const kinds[] = {"patch", "additive", "warp", "sinusoid"};
    CHECK_OK(cleanclip_check_finding(check, i, &finding));
    CHECK(strcmp(finding.kind, kinds[i]) == 0);
    CHECK(finding.target == NULL && finding.word == NULL && finding.size > 0);
    CHECK(finding.p_value > 0 && finding.p_value <= 1 && strlen(finding.size_meaning) > 10);
    CHECK(strcmp(finding.reference_source, "reference_searches") == 0);
    CHECK(finding.predicted_target == NULL && finding.attack_success_rate == -1);
    CHECK(finding.reference_count >= 1 && finding.reference_count <= 16);
    CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
                 cleanclip_check_finding_reference(check, i, sizes,
                                                   (size_t)finding.reference_count - 1));
    CHECK_OK(cleanclip_check_finding_reference(check, i, sizes, 16));
    CHECK(sizes[0] > 0);
    if (finding.has_trigger) {
      ++triggers;
      cleanclip_trigger_free(trigger);
      CHECK_OK(cleanclip_check_finding_trigger(check, i, &trigger));
    } else {
      cleanclip_trigger *none = (cleanclip_trigger *)model;
      CHECK_STATUS(CLEANCLIP_NOT_FOUND, cleanclip_check_finding_trigger(check, i, &none));
      CHECK(none == NULL);
    }
  }
  CHECK(triggers > 0);
  cleanclip_check_free(check);
  cleanclip_model_free(model);

  /* The trigger outlives both, and its copy does the same. */
  for (size_t i = 0; i < sizeof pixels; ++i) again[i] = pixels[i] = (uint8_t)(i * 7);
  CHECK_OK(cleanclip_trigger_save(trigger, path));
  CHECK_OK(cleanclip_trigger_load(path, NULL, &loaded));
  CHECK_OK(cleanclip_trigger_apply(trigger, pixels, 1, 0, 32, 32));
  CHECK_OK(cleanclip_trigger_apply(loaded, again, 1, 0, 32, 32));
  CHECK(memcmp(pixels, again, sizeof pixels) == 0);
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_trigger_apply(loaded, again, 1, 0, 16, 32));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_trigger_save(loaded, scratch("t.png")));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_trigger_save(NULL, path));
  cleanclip_trigger_free(loaded);
  cleanclip_trigger_free(trigger);
}

static void test_triggers_have_names(void) {
  char text[1024];
  size_t length = 0;
  cleanclip_trigger *trigger = NULL;
  CHECK_OK(cleanclip_trigger_names(NULL, 0, &length));
  CHECK(length < sizeof text);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_trigger_names(text, length, &length));
  CHECK_OK(cleanclip_trigger_names(text, sizeof text, NULL));
  CHECK(strstr(text, "badnets") == text && strstr(text, "\nwanet-cleanclip\n") != NULL);
  CHECK_OK(cleanclip_trigger_load("blended", NULL, &trigger));
  CHECK_STATUS(CLEANCLIP_UNSUPPORTED, cleanclip_trigger_save(trigger, scratch("b.safetensors")));
  cleanclip_trigger_free(trigger);
}

static void test_a_dataset_is_ranked_by_given_features(void) {
  enum { COUNT = 200, WIDTH = 8 };
  pair_source source;
  cleanclip_dataset *dataset = tiny_dataset(&source, COUNT);
  cleanclip_check_data_options options;
  cleanclip_check *check = NULL;
  static float features[COUNT * WIDTH];
  float scores[COUNT];

  for (int64_t i = 0; i < COUNT * WIDTH; ++i) features[i] = spread(i) * (i / WIDTH == 31 ? 40 : 1);
  cleanclip_check_data_options_init(&options, sizeof options);
  options.image_features = features;
  options.embed_dim = WIDTH;
  CHECK_OK(cleanclip_check_data(NULL, dataset, &options, NULL, NULL, &check));
  CHECK(cleanclip_check_score_count(check) == COUNT);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_scores(check, scores, COUNT - 1));
  CHECK_OK(cleanclip_check_scores(check, scores, COUNT));
  for (int i = 0; i < COUNT; ++i) CHECK(i == 31 || scores[i] < scores[31]);
  CHECK_OK(cleanclip_check_write(check, scratch("scores.csv")));
  CHECK_OK(cleanclip_check_write(check, scratch("kept.txt")));
  CHECK_OK(cleanclip_check_write(check, scratch("sheet.html")));
  cleanclip_check_free(check);
  options.embed_dim = 0;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_data(NULL, dataset, &options, NULL, NULL, &check));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_data(NULL, dataset, NULL, NULL, NULL, &check));
  cleanclip_dataset_free(dataset);
}

static void test_features_alone_are_ranked(void) {
  enum { COUNT = 100, WIDTH = 8 };
  static float features[COUNT * WIDTH], texts[COUNT * WIDTH];
  const char *keys[COUNT], *captions[COUNT];
  float scores[COUNT];
  cleanclip_check_data_options options;
  cleanclip_check *check = NULL;

  for (int64_t i = 0; i < COUNT * WIDTH; ++i) {
    features[i] = spread(i) * (i / WIDTH == 31 ? 40 : 1);
    texts[i] = features[i] * 2 * (i / WIDTH == 31 ? -1 : 1);
  }
  for (int i = 0; i < COUNT; ++i) {
    keys[i] = "a key";
    captions[i] = "a caption";
  }
  cleanclip_check_data_options_init(&options, sizeof options);
  options.image_features = features;
  options.embed_dim = WIDTH;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_data(NULL, NULL, &options, NULL, NULL, &check));
  options.pair_count = COUNT;
  CHECK_OK(cleanclip_check_data(NULL, NULL, &options, NULL, NULL, &check));
  CHECK_OK(cleanclip_check_scores(check, scores, COUNT));
  for (int i = 0; i < COUNT; ++i) CHECK(i == 31 || scores[i] < scores[31]);
  CHECK_OK(cleanclip_check_write(check, scratch("rows.html")));
  cleanclip_check_free(check);
  options.keys = keys;
  options.captions = captions;
  options.trusted_image_features = features;
  options.trusted_embed_dim = WIDTH;
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_data(NULL, NULL, &options, NULL, NULL, &check));
  options.trusted_text_features = texts;
  options.image_features = NULL;
  CHECK_OK(cleanclip_check_data(NULL, NULL, &options, NULL, NULL, &check));
  CHECK_OK(cleanclip_check_scores(check, scores, COUNT));
  for (int i = 0; i < COUNT; ++i) CHECK(i == 31 || scores[i] < scores[31] || scores[31] == 0);
  cleanclip_check_free(check);
}

static int32_t cancel_at_count(int64_t done, int64_t of, void *user_data) {
  return done <= of && done == *(const int64_t *)user_data;
}

static void test_a_dataset_check_is_cancelled_and_resumed(void) {
  enum { COUNT = 600 };
  pair_source source;
  cleanclip_model *model = tiny_model(1), *other = tiny_model(2);
  cleanclip_dataset *dataset = tiny_dataset(&source, COUNT);
  cleanclip_check_data_options options;
  cleanclip_check *check = NULL;
  int64_t pairs = 576;
  float whole[COUNT], resumed[COUNT];

  CHECK_OK(cleanclip_check_data(model, dataset, NULL, NULL, NULL, &check));
  CHECK_OK(cleanclip_check_scores(check, whole, COUNT));
  cleanclip_check_free(check);
  cleanclip_check_data_options_init(&options, sizeof options);
  CHECK(options.state_directory == NULL && options.resume == 0);
  options.state_directory = scratch("dataset-state");
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_check_data(model, dataset, &options, cancel_at_count, &pairs, &check));
  CHECK(check == NULL);
  options.resume = 1;
  pairs = 2 * COUNT;
  CHECK_STATUS(CLEANCLIP_CANCELLED,
               cleanclip_check_data(model, dataset, &options, cancel_at_count, &pairs, &check));
  CHECK_OK(cleanclip_check_data(model, dataset, &options, NULL, NULL, &check));
  CHECK_OK(cleanclip_check_scores(check, resumed, COUNT));
  CHECK(memcmp(whole, resumed, sizeof whole) == 0);
  cleanclip_check_free(check);
  CHECK_STATUS(CLEANCLIP_STATE,
               cleanclip_check_data(other, dataset, &options, NULL, NULL, &check));
  cleanclip_dataset_free(dataset);
  cleanclip_model_free(model);
  cleanclip_model_free(other);
}

static void test_images_are_judged_by_a_bank(void) {
  enum { COUNT = 120 };
  static float clean[COUNT * TINY_EMBED_DIM];
  float strange[TINY_EMBED_DIM];
  float score = 0;
  int32_t flag = 0;
  cleanclip_bank *bank = NULL, *read = NULL, *none = NULL;
  cleanclip_model *model = tiny_model(1);
  cleanclip_tokenizer *tokenizer = tiny_tokenizer();
  const char *const classes[] = {"red", "green"};

  for (int64_t i = 0; i < COUNT * TINY_EMBED_DIM; ++i) clean[i] = spread(i);
  for (int i = 0; i < TINY_EMBED_DIM; ++i) strange[i] = 9;
  CHECK_OK(cleanclip_bank_create(clean, COUNT, TINY_EMBED_DIM, &bank));
  CHECK_OK(cleanclip_check_inputs(bank, strange, 1, TINY_EMBED_DIM, 0.01, &score, &flag));
  CHECK(flag == 1 && score > 0);
  CHECK_OK(cleanclip_check_inputs(bank, clean, 0, TINY_EMBED_DIM, 0.01, NULL, NULL));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_check_inputs(bank, strange, 1, TINY_EMBED_DIM, 0.001, &score, &flag));
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_check_inputs(bank, strange, 1, 8, 0.01, &score, &flag));
  CHECK_OK(cleanclip_bank_add_classes(bank, model, tokenizer, classes, 2, NULL, 0));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_bank_add_classes(bank, model, tokenizer, classes, 0, NULL, 0));
  CHECK_OK(cleanclip_check_inputs(bank, strange, 1, TINY_EMBED_DIM, 0.01, &score, &flag));
  CHECK(flag == 1);
  CHECK_OK(cleanclip_bank_save(bank, scratch("bank.safetensors")));
  CHECK_OK(cleanclip_bank_load(scratch("bank.safetensors"), &read));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_bank_create(clean, 10, 8, &none));
  CHECK(none == NULL);
  // The classes' model is the bank's from then on.
  cleanclip_model *other = tiny_model(2);
  CHECK_OK(cleanclip_bank_set_model(read, model));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_bank_set_model(read, other));
  CHECK(strstr(cleanclip_last_error(), "is of another model") != NULL);
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT,
               cleanclip_bank_add_classes(read, other, tokenizer, classes, 2, NULL, 0));
  cleanclip_model_free(other);

  // A set: one stranger among many is no more than chance, ten alike are.
  cleanclip_check *check = NULL;
  static float set[30 * TINY_EMBED_DIM];
  memcpy(set, clean, sizeof set);
  CHECK_OK(cleanclip_check_input_set(bank, set, 30, TINY_EMBED_DIM, 0.05, &check));
  CHECK(cleanclip_check_verdict(check) == CLEANCLIP_VERDICT_CLEAN);
  CHECK(cleanclip_check_score_count(check) == 30);
  cleanclip_check_free(check);
  for (int i = 0; i < 10 * TINY_EMBED_DIM; ++i) set[i] = 9 + spread(i) / 8;
  CHECK_OK(cleanclip_check_input_set(bank, set, 30, TINY_EMBED_DIM, 0.05, &check));
  CHECK(cleanclip_check_verdict(check) == CLEANCLIP_VERDICT_BACKDOORED);
  CHECK_OK(cleanclip_check_write(check, scratch("set.html")));
  CHECK_STATUS(CLEANCLIP_INVALID_ARGUMENT, cleanclip_check_write(check, scratch("set.txt")));
  cleanclip_check_free(check);
  CHECK_OK(cleanclip_check_input_set(bank, set, 0, TINY_EMBED_DIM, 0.05, &check));
  CHECK(cleanclip_check_verdict(check) == CLEANCLIP_VERDICT_CANNOT_TELL);
  cleanclip_check_free(check);
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_check_input_set(bank, set, 30, 8, 0.05, &check));
  CHECK(check == NULL);

  // Images that it has are not added again.
  int64_t added = -1;
  CHECK_OK(cleanclip_bank_extend(bank, set, 30, TINY_EMBED_DIM, &added));
  CHECK(added == 10);
  CHECK_OK(cleanclip_bank_extend(bank, set, 30, TINY_EMBED_DIM, &added));
  CHECK(added == 0);
  CHECK_STATUS(CLEANCLIP_SHAPE, cleanclip_bank_extend(bank, set, 30, 8, &added));
  CHECK_OK(cleanclip_check_inputs(bank, strange, 1, TINY_EMBED_DIM, 0.01, &score, &flag));
  cleanclip_bank_free(bank);
  cleanclip_bank_free(read);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

int main(void) {
  RUN(test_defaults);
  RUN(test_null_arguments_are_errors);
  RUN(test_a_model_is_checked_cancelled_and_resumed);
  RUN(test_findings_and_their_triggers);
  RUN(test_triggers_have_names);
  RUN(test_a_dataset_is_ranked_by_given_features);
  RUN(test_features_alone_are_ranked);
  RUN(test_a_dataset_check_is_cancelled_and_resumed);
  RUN(test_images_are_judged_by_a_bank);
  remove_scratch();
  return finish();
}
