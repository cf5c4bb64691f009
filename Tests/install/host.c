/* What a host needs of an installation: the library, its threads, and the vocabulary that belongs to it. */
#include <cleanclip.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  static const int32_t expected[] = {49406, 320, 1125, 539, 320, 2368, 49407};
  const char *texts[] = {"a photo of a cat"};
  int32_t ids[77];
  cleanclip_tokenizer *tokenizer = NULL;
  if (cleanclip_version_number() != CLEANCLIP_VERSION_NUMBER) return 2;
  if (cleanclip_tokenizer_find(NULL, &tokenizer) != CLEANCLIP_OK ||
      cleanclip_tokenizer_encode(tokenizer, texts, 1, 77, ids, 77) != CLEANCLIP_OK) {
    fprintf(stderr, "%s\n", cleanclip_last_error());
    return 1;
  }
  cleanclip_tokenizer_free(tokenizer);
  if (memcmp(ids, expected, sizeof expected) != 0) return 3;
  printf("cleanclip %s\n", cleanclip_version());
  return 0;
}
