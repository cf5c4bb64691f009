/**
 * @file cleanclip/data.h
 * @brief Datasets: captioned or labelled images.
 *
 * A dataset is opened from files with cleanclip_dataset_open() or made of pairs that the host holds
 * with cleanclip_dataset_create(); everything that reads images takes it.
 *
 * @code{.c}
 * const char *sources[] = {"finetune-*.tar", "more.csv"};
 * cleanclip_dataset *pairs;
 * cleanclip_dataset_open(sources, 2, NULL, &pairs);
 * printf("%lld pairs\n", (long long)cleanclip_dataset_count(pairs));
 * cleanclip_dataset_free(pairs);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_DATA_H
#define CLEANCLIP_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Images with captions, or with labels, or both: an index; images are read when needed. */
typedef struct cleanclip_dataset cleanclip_dataset;

/** How files are read. */
typedef struct cleanclip_dataset_options {
  size_t struct_size;          /**< Set by cleanclip_dataset_options_init(). */
  const char *image_column;    /**< Of csv and tsv, with paths relative to the file; default "image",
                                    else "file_name" or "filepath". */
  const char *caption_column;  /**< Default "caption", else "text" or "title", used where it exists. */
  const char *label_column;    /**< Class names or indices; default "label", used where it exists. */
  const char *keep;            /**< A list of rows as cleanclip_check_write() writes it to `.txt`: the
                                    others are left out. None by default (NULL): all rows. */
} cleanclip_dataset_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_dataset_options_init(cleanclip_dataset_options *options,
                                                  size_t struct_size);

/**
 * Opens files of pairs.
 *
 * What the files hold and is no pair is counted by reason: see cleanclip_dataset_describe(). The log
 * callback is called with a line for each reason. Names need not be UTF-8: bytes that are not stand as
 * `\\xNN` in keys. Links to folders are followed, each folder once.
 *
 * @param[in] sources Paths or patterns with `*` and `?`: csv or tsv files with a header line, `.jsonl` files
 *   with an object on each line, image files, WebDataset tar shards (KEY.jpg|png|webp with KEY.txt, KEY.cls for a label), folders of these, or
 *   folders of images, in which KEY.txt is the caption of KEY.jpg and the folder that an image is in,
 *   of those directly below, is its class. Class folders count in the order of their names. None NULL.
 * @param[in] count 1 … 65536 sources.
 * @param[in] options NULL for the defaults.
 * @param[out] out_dataset To be freed with cleanclip_dataset_free().
 * @return CLEANCLIP_NOT_FOUND: no file, or a csv without the columns; CLEANCLIP_FORMAT: a broken
 *   file; CLEANCLIP_INVALID_ARGUMENT: no pair at all, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_dataset_open(const char *const *sources, int64_t count,
                                                      const cleanclip_dataset_options *options,
                                                      cleanclip_dataset **out_dataset);

/** A pair as the host hands it over. All zero when the callback is called. */
typedef struct cleanclip_pair {
  size_t struct_size;       /**< Set by the library. */
  const void *image;        /**< A JPEG, PNG or WebP file, or pixels when `width` is not 0. */
  size_t image_byte_count;  /**< Bytes of `image`; height * width * 3 for pixels. */
  const char *caption;      /**< NULL or "": no caption. */
  int32_t width;            /**< Pixels [height, width, 3] instead of a file: their width. */
  int32_t height;           /**< … and height. */
  int32_t label;            /**< Class index; used where `has_label` is 1. */
  int32_t has_label;        /**< 0: no label. */
  const char *problem;      /**< Why there is no such pair, where the callback returns another number
                                 than 0: becomes a part of the error's text; NULL: unknown. */
} cleanclip_pair;

/**
 * Hands over one pair.
 *
 * Called on a thread of the library, never on two at once. What the members of `pair` point to
 * is read before the next call of this function for the same dataset, or the dataset's end.
 *
 * @param[in] index 0 … count - 1; each may be asked for again.
 * @param[out] pair To be filled.
 * @param[in] user_data As it was given to cleanclip_dataset_create().
 * @return 0; anything else: there is no such pair, it is counted as a bad row and skipped.
 */
typedef int32_t (*cleanclip_pair_callback)(int64_t index, cleanclip_pair *pair, void *user_data);

/**
 * Makes a dataset of pairs that the host holds; results, lists and messages call them "pair 0", "pair 1" and so on.
 *
 * @param[in] count The number of pairs, 1 or more.
 * @param[in] callback Hands over a pair; must stay valid until the dataset is freed.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_dataset To be freed with cleanclip_dataset_free().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_dataset_create(int64_t count,
                                                        cleanclip_pair_callback callback,
                                                        void *user_data,
                                                        cleanclip_dataset **out_dataset);

/** Frees a dataset. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_dataset_free(cleanclip_dataset *dataset);

/** Returns the number of pairs in the index; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_dataset_count(const cleanclip_dataset *dataset);

/**
 * Writes what a dataset holds as JSON: `rows`, `has_captions`, `has_labels`, `class_folders` in the order
 * of their indices, and `left_out`, what the files hold and does not become a row, by reason, each
 * with `count` and the first `examples`. Rows that cannot be read are known after reading only, and are
 * in the results of what read them.
 *
 * @param[in] dataset The dataset.
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_dataset_describe(const cleanclip_dataset *dataset,
                                                          char *out_text, size_t out_capacity,
                                                          size_t *out_length);

#ifdef __cplusplus
}
#endif

#endif
