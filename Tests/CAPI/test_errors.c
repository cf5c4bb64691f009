/* The texts of failures, as a table: what a caller reads when something is wrong. */
#include "support.h"

/* A call, the status that it gives and a part of its text. */
static void expect(cleanclip_status expected, cleanclip_status got, const char *part,
                   const char *file, int line) {
  const char *text = cleanclip_last_error();
  if (got != expected || strstr(text, part) == NULL) {
    ++failures;
    fprintf(stderr, "%s:%d: expected %s and '%s', got %s and '%s'\n", file, line,
            cleanclip_status_name(expected), part, cleanclip_status_name(got), text);
  }
  /* Lower case, no final stop. */
  if (text[0] >= 'A' && text[0] <= 'Z') ++failures, fprintf(stderr, "capital: %s\n", text);
  if (strlen(text) > 0 && text[strlen(text) - 1] == '.') {
    ++failures;
    fprintf(stderr, "final stop: %s\n", text);
  }
}

#define EXPECT(status, part, call) expect(status, call, part, __FILE__, __LINE__)

static void test_texts_of_failures(void) {
  cleanclip_model *model = tiny_model(1), *out_model = NULL;
  cleanclip_tokenizer *tokenizer = tiny_tokenizer(), *out_tokenizer = NULL;
  cleanclip_dataset *out_dataset = NULL;
  cleanclip_trigger *out_trigger = NULL;
  cleanclip_trigger_options trigger_options;
  cleanclip_report_options report;
  static float pixels[3 * TINY_IMAGE_SIZE * TINY_IMAGE_SIZE];
  float out[TINY_EMBED_DIM];
  const char *missing[1] = {"no/such/*.tar"};
  const char *broken[1];
  const char *bad_text[1] = {"\xff\xfe"};
  const char *empty_csv[1];
  const char *wrong_csv[1];
  int32_t ids[8] = {0};

  EXPECT(CLEANCLIP_NOT_FOUND, "'no/such.onnx'", cleanclip_model_load("no/such.onnx", &out_model));
  write_file(scratch("broken.onnx"), "\x01\x02 this is no protobuf at all");
  EXPECT(CLEANCLIP_FORMAT, "broken.onnx", cleanclip_model_load(scratch("broken.onnx"), &out_model));
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "path is empty", cleanclip_model_load("", &out_model));
  EXPECT(CLEANCLIP_NOT_FOUND, "expected one of RN50",
         cleanclip_model_create("RN49", 0, &out_model));
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "out_capacity is too small; expected at least 16 (count 1 x embed_dim 16), got 15",
         cleanclip_model_encode_image_inputs(model, pixels, 1, NULL, out, 15));
  EXPECT(CLEANCLIP_SHAPE, "expected [1, 3, 32, 32], got [1, 3, 31, 32]",
         cleanclip_model_encode_images_f32(model, pixels, 1, 31, 32, NULL, out, 16));
  EXPECT(CLEANCLIP_NOT_FOUND, "got 'visual.nothing'",
         cleanclip_model_read_parameter(model, "visual.nothing", out, 16));
  EXPECT(CLEANCLIP_SHAPE, "count does not fit 'logit_scale'; expected 1 for [], got 2",
         cleanclip_model_write_parameter(model, "logit_scale", out, 2));
  EXPECT(CLEANCLIP_NOT_FOUND, "no/such",
         cleanclip_tokenizer_load("no/such.txt", &out_tokenizer));
  write_file(scratch("words.txt"), "title\nnot a merge at all\n");
  EXPECT(CLEANCLIP_FORMAT, "words.txt",
         cleanclip_tokenizer_load(scratch("words.txt"), &out_tokenizer));
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "texts[0] is not text; expected UTF-8",
         cleanclip_tokenizer_encode(tokenizer, bad_text, 1, 8, ids, 8));
  EXPECT(CLEANCLIP_NOT_FOUND, "no/such/*.tar",
         cleanclip_dataset_open(missing, 1, NULL, &out_dataset));
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "count is out of range; expected 1 to 65536, got 0",
         cleanclip_dataset_open(missing, 0, NULL, &out_dataset));
  write_file(scratch("wrong.csv"), "photo,text\na.png,red\n");
  wrong_csv[0] = scratch("wrong.csv");
  EXPECT(CLEANCLIP_NOT_FOUND, "no column 'image'",
         cleanclip_dataset_open(wrong_csv, 1, NULL, &out_dataset));
  write_file(scratch("empty.csv"), "image,caption\n");
  empty_csv[0] = scratch("empty.csv");
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "empty",
         cleanclip_dataset_open(empty_csv, 1, NULL, &out_dataset));
  write_file(scratch("broken.tar"), "this is no tar file");
  broken[0] = scratch("broken.tar");
  EXPECT(CLEANCLIP_FORMAT, "broken.tar", cleanclip_dataset_open(broken, 1, NULL, &out_dataset));
  EXPECT(CLEANCLIP_NOT_FOUND, "expected one of badnets",
         cleanclip_trigger_load("nonsense", NULL, &out_trigger));
  cleanclip_trigger_options_init(&trigger_options, sizeof trigger_options);
  trigger_options.position = "somewhere";
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "got 'somewhere'",
         cleanclip_trigger_load("badnets", &trigger_options, &out_trigger));
  cleanclip_report_options_init(&report, sizeof report);
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "expected a name that ends in .html or .json",
         cleanclip_report_write(&report, "report.pdf"));
  EXPECT(CLEANCLIP_INVALID_ARGUMENT, "count is out of range; expected 0 to 1024, got -3",
         cleanclip_set_num_threads(-3));
  CHECK(out_model == NULL && out_tokenizer == NULL && out_dataset == NULL && out_trigger == NULL);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
}

int main(void) {
  CHECK(strcmp(cleanclip_last_error(), "") == 0);
  RUN(test_texts_of_failures);
  remove_scratch();
  return finish();
}
