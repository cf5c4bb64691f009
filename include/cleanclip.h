/**
 * @file cleanclip.h
 * @brief C interface of libcleanclip: sanitize poisoned CLIP checkpoints inside any program.
 *
 * A CLIP model that was trained on pictures and captions from the web may carry a backdoor: a
 * trigger in a picture makes the model see whatever an attacker chose. This library loads such a
 * checkpoint, measures it, fine-tunes the backdoor away on clean pairs (CleanCLIP, Bansal et al.,
 * ICCV 2023, arXiv:2303.03323) and writes the same ONNX graph back with clean weights. It needs no
 * Python and no deep-learning framework.
 *
 * The whole job, without the error checks:
 *
 * @code{.c}
 * cleanclip_model *model;
 * cleanclip_tokenizer *tokenizer;
 * cleanclip_dataset *pairs;
 * const char *sources[] = {"finetune-*.tar"};
 * cleanclip_model_load("clip.onnx", &model);
 * cleanclip_tokenizer_find("clip.onnx", &tokenizer);
 * cleanclip_dataset_open(sources, 1, NULL, &pairs);
 *
 * cleanclip_sanitize_options options;
 * cleanclip_sanitize_options_init(&options, sizeof options);
 * options.epochs = 4;
 * cleanclip_sanitize(model, tokenizer, pairs, &options, NULL, NULL, NULL);
 *
 * cleanclip_model_save(model, "clean.onnx");
 * cleanclip_dataset_free(pairs);
 * cleanclip_tokenizer_free(tokenizer);
 * cleanclip_model_free(model);
 * @endcode
 *
 * **Threads.** Distinct handles may be used concurrently; a `const` model, tokenizer, dataset,
 * trigger, history or evaluation may be used by several threads; everything else needs external locking.
 * Computation inside one call is spread over the threads of cleanclip_set_num_threads().
 *
 * **Errors.** Every function that can fail returns a cleanclip_status; the text of the failure is
 * in cleanclip_last_error() of the same thread. Nothing that a caller passes or a file holds stops
 * the process. On failure `out_*` handles are NULL and the content of output buffers is
 * unspecified. Besides the codes that a function lists, each may return CLEANCLIP_OUT_OF_MEMORY
 * and CLEANCLIP_INTERNAL.
 *
 * **Memory.** Inputs are borrowed for the duration of the call. Numeric outputs are written to
 * memory of the caller, whose capacity is given in *elements*. Texts are written to memory of the
 * caller as well: pass `out_text` NULL with `out_capacity` 0 to ask for the length. The caller
 * frees handles, in any order, and nothing else.
 *
 * **Arrays** are contiguous and row-major, numbers native-endian. Letters of shapes: n pictures or
 * texts, S cleanclip_model_image_size(), L cleanclip_model_context_length(), E
 * cleanclip_model_embed_dim().
 *
 * **Strings** are UTF-8 and end with NUL.
 *
 * **Structs** start with `struct_size`, which the `_init` function sets together with the defaults.
 * Members are only ever appended; the library reads and writes no byte beyond `struct_size`.
 *
 * **Callbacks** run on the calling thread unless their type says otherwise, and must not unwind
 * (no C++ exception, no longjmp) through the library.
 *
 * **Loading.** The library stays mapped after dlclose(), so that it may be opened again: the
 * protobuf registry inside it cannot be registered twice.
 */
#ifndef CLEANCLIP_H
#define CLEANCLIP_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CLEANCLIP_API __attribute__((visibility("default")))
#else
#define CLEANCLIP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ============================================================================================ */
/** @name Version                                                                               */
/** @{ */

/** Changes when programs must be compiled again; while it is 0, so does MINOR. */
#define CLEANCLIP_VERSION_MAJOR 0
/** Changes when something is added. */
#define CLEANCLIP_VERSION_MINOR 1
/** Changes when behaviour is repaired. */
#define CLEANCLIP_VERSION_PATCH 0
/** major * 1,000,000 + minor * 1,000 + patch. */
#define CLEANCLIP_VERSION_NUMBER \
  (CLEANCLIP_VERSION_MAJOR * 1000000 + CLEANCLIP_VERSION_MINOR * 1000 + CLEANCLIP_VERSION_PATCH)
/** The version as text. */
#define CLEANCLIP_VERSION_STRING "0.1.0"

/**
 * Returns the version of the library at run time.
 *
 * Compare with the CLEANCLIP_VERSION_NUMBER that the program was compiled with.
 */
CLEANCLIP_API uint32_t cleanclip_version_number(void);

/** Returns the version of the library as text, such as "0.1.0"; static memory. */
CLEANCLIP_API const char *cleanclip_version(void);

/** @} */
/* ============================================================================================ */
/** @name Status and errors                                                                     */
/** @{ */

/** What became of a call. Values are frozen and never used again for something else. */
typedef enum cleanclip_status {
  CLEANCLIP_OK = 0,
  /** An argument is NULL, negative, out of range or contradicts another one. */
  CLEANCLIP_INVALID_ARGUMENT = 1,
  /** An array or a tensor has other dimensions than the model needs. */
  CLEANCLIP_SHAPE = 2,
  /** A file, a column, a name or a tokenizer is not there. */
  CLEANCLIP_NOT_FOUND = 3,
  /** The operating system failed to read or write. */
  CLEANCLIP_IO = 4,
  /** A file is broken or is not what its name says. */
  CLEANCLIP_FORMAT = 5,
  /** A file is sound but needs something that this version does not have. */
  CLEANCLIP_UNSUPPORTED = 6,
  /** The call does not fit the state that things are in: not a number in the loss, model in use. */
  CLEANCLIP_STATE = 7,
  /** The system has no memory for this. */
  CLEANCLIP_OUT_OF_MEMORY = 8,
  /** A callback asked to stop. */
  CLEANCLIP_CANCELLED = 9,
  /** A mistake in the library; please report it with the text. */
  CLEANCLIP_INTERNAL = 10
} cleanclip_status;

/**
 * Returns the name of a status, such as "CLEANCLIP_NOT_FOUND"; static memory.
 *
 * An unknown value gives "CLEANCLIP_UNKNOWN".
 */
CLEANCLIP_API const char *cleanclip_status_name(cleanclip_status status);

/**
 * Returns the text of the last failure on this thread.
 *
 * It reads `<what>: <what is wrong>; expected X, got Y[; <remedy>]`. The memory is valid until the
 * next call of a `cleanclip_` function on this thread. Never NULL; "" before the first failure,
 * without meaning after a success. Programs decide by the status, people read the text.
 */
CLEANCLIP_API const char *cleanclip_last_error(void);

/** @} */
/* ============================================================================================ */
/** @name Threads, precision, memory and log                                                    */
/** @{ */

/**
 * Sets how many threads computation uses, in the whole process.
 *
 * The default is the number of physical cores that the process may run on, or OMP_NUM_THREADS.
 * The same seed, threads, machine and precision give the same result, bit by bit; another number
 * of threads may round differently.
 *
 * @param[in] count 1 … 1024; 0 restores the default.
 * @return CLEANCLIP_OK or CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_set_num_threads(int32_t count);

/** Returns how many threads computation uses. */
CLEANCLIP_API int32_t cleanclip_num_threads(void);

/** The element type of activations. Weights, gradients and features are always f32. */
typedef enum cleanclip_precision {
  /** bf16 where the processor multiplies it in hardware, otherwise f32. */
  CLEANCLIP_PRECISION_AUTO = 0,
  /** Single precision: the reference. */
  CLEANCLIP_PRECISION_F32 = 1,
  /** bfloat16 with f32 accumulation; several times faster with AMX or AVX512-BF16. */
  CLEANCLIP_PRECISION_BF16 = 2
} cleanclip_precision;

/** Returns how many bytes of tensors are alive in the process. */
CLEANCLIP_API int64_t cleanclip_memory_in_use(void);

/** Returns the highest cleanclip_memory_in_use() so far. */
CLEANCLIP_API int64_t cleanclip_memory_peak(void);

/** Gives memory that is kept for later tensors back to the system. */
CLEANCLIP_API void cleanclip_memory_trim(void);

/**
 * Hears of what is no failure but should not go unnoticed: rows of a data set that are left out and
 * why, alpha channels that hide another picture, synonyms that are not installed.
 *
 * Called on the thread that called the function which has something to say.
 *
 * @param[in] message Lives for the duration of the call.
 */
typedef void (*cleanclip_log_callback)(const char *message, void *user_data);

/**
 * Sets who hears of such things, in the whole process; at first, nobody does.
 *
 * A call that runs on another thread may still use the callback that was set before.
 *
 * @param[in] callback NULL: nobody.
 * @param[in] user_data Passed to the callback; may be NULL.
 */
CLEANCLIP_API void cleanclip_set_log_callback(cleanclip_log_callback callback, void *user_data);

/** @} */
/* ============================================================================================ */
/** @name Model                                                                                 */
/** @{ */

/** A CLIP model: architecture, weights and where each weight came from. */
typedef struct cleanclip_model cleanclip_model;

/**
 * Loads a checkpoint.
 *
 * @param[in] path An ONNX file (recognised by its structure, names do not matter), a safetensors
 *   file with OpenCLIP or Hugging Face names, or "VISUAL.onnx,TEXTUAL.onnx": the two towers in two
 *   files, separated by a comma. Weights may lie in files beside the ONNX file.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: no readable file; CLEANCLIP_FORMAT: a broken file;
 *   CLEANCLIP_UNSUPPORTED: not a CLIP of a known form, the text names the node.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_load(const char *path, cleanclip_model **out_model);

/**
 * Makes a model with random weights.
 *
 * Weights may then be written with cleanclip_model_write_parameter().
 *
 * @param[in] architecture A name ("ViT-B-32", "ViT-B-16", "ViT-L-14", "RN50" …), or the text of an
 *   OpenCLIP model configuration: JSON with `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`.
 * @param[in] seed The same seed gives the same weights.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_NOT_FOUND: no architecture of this name; CLEANCLIP_FORMAT: not JSON;
 *   CLEANCLIP_UNSUPPORTED: an architecture that is not CLIP's.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_create(const char *architecture, uint64_t seed,
                                                      cleanclip_model **out_model);

/**
 * Copies a model: weights, and what is needed to write it back into its file's form.
 *
 * @param[in] model The model to copy.
 * @param[out] out_model An independent model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_copy(const cleanclip_model *model,
                                                    cleanclip_model **out_model);

/**
 * Saves a model.
 *
 * The file appears under its name only when it is complete; a failure leaves what was there. The
 * file that the model was loaded from may be overwritten.
 *
 * @param[in] path The form follows the name: `.safetensors` holds OpenCLIP's names; `.onnx` is the
 *   very graph that the model was loaded from with new weights, or a fresh graph when the model
 *   did not come from ONNX. A model of two files is saved to "VISUAL.onnx,TEXTUAL.onnx".
 * @return CLEANCLIP_IO: cannot write, disk full; CLEANCLIP_UNSUPPORTED: another ending, or weights
 *   that the graph cannot hold, the text says which; CLEANCLIP_INVALID_ARGUMENT: one path for a
 *   model of two files, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_save(const cleanclip_model *model,
                                                    const char *path);

/** Frees a model. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_model_free(cleanclip_model *model);

/**
 * Describes a model as JSON: towers, sizes, parameters, origin (exporter, opset, inputs, outputs,
 * form of the batch norm), preprocessing.
 *
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_describe(const cleanclip_model *model,
                                                        char *out_text, size_t out_capacity,
                                                        size_t *out_length);

/** Returns E, the length of a feature; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_model_embed_dim(const cleanclip_model *model);

/** Returns S, the pixels along each side of the input; 0 without an image tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_image_size(const cleanclip_model *model);

/** Returns L, the most tokens of a text; 0 without a text tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_context_length(const cleanclip_model *model);

/** Returns the number of token ids; 0 without a text tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_vocab_size(const cleanclip_model *model);

/** Returns the factor of cosine similarities in logits, already exponentiated; 0 for NULL. */
CLEANCLIP_API float cleanclip_model_logit_scale(const cleanclip_model *model);

/** A tensor of the state dictionary. */
typedef struct cleanclip_parameter_info {
  size_t struct_size;     /**< Set by cleanclip_parameter_info_init(). */
  const char *name;       /**< OpenCLIP's name; lives as long as the model. */
  int64_t element_count;  /**< Product of the dimensions; 1 for a scalar. */
  int64_t dimensions[8];  /**< The first `rank` are set, the rest are 0. */
  int32_t rank;           /**< 0 … 8. */
  int32_t is_trainable;   /**< 1: training changes it; 0: a running statistic or a constant. */
} cleanclip_parameter_info;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *info`. NULL does nothing. */
CLEANCLIP_API void cleanclip_parameter_info_init(cleanclip_parameter_info *info,
                                                 size_t struct_size);

/** Returns the number of tensors in the state dictionary, running statistics included; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_model_parameter_count(const cleanclip_model *model);

/**
 * Tells name and shape of a tensor.
 *
 * @param[in] index 0 … cleanclip_model_parameter_count() - 1, in the order of the state dictionary.
 * @param[in,out] out_info Prepared with cleanclip_parameter_info_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_parameter_info(const cleanclip_model *model,
                                                              int64_t index,
                                                              cleanclip_parameter_info *out_info);

/**
 * Finds a tensor by name.
 *
 * @param[out] out_index For cleanclip_model_parameter_info(); -1 on failure.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_find_parameter(const cleanclip_model *model,
                                                              const char *name,
                                                              int64_t *out_index);

/**
 * Copies the values of a tensor out of the model.
 *
 * @param[in] name OpenCLIP's name. "logit_scale" is the logarithm.
 * @param[out] out_values Element by element, row-major.
 * @param[in] out_capacity Elements that `out_values` has room for; at least `element_count`.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_read_parameter(const cleanclip_model *model,
                                                              const char *name, float *out_values,
                                                              size_t out_capacity);

/**
 * Copies values into a tensor of the model.
 *
 * @param[in] name OpenCLIP's name. "logit_scale" is the logarithm.
 * @param[in] values Row-major; each finite.
 * @param[in] count Elements of `values`; exactly `element_count`.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name; CLEANCLIP_SHAPE: another number of values;
 *   CLEANCLIP_INVALID_ARGUMENT: NULL or a value that is not finite; the tensor is unchanged.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_write_parameter(cleanclip_model *model,
                                                               const char *name,
                                                               const float *values, size_t count);

/** @} */
/* ============================================================================================ */
/** @name Tokenizer                                                                             */
/** @{ */

/** CLIP's byte-level byte-pair encoding with a vocabulary. */
typedef struct cleanclip_tokenizer cleanclip_tokenizer;

/**
 * Loads a vocabulary.
 *
 * @param[in] path `bpe_simple_vocab_16e6.txt` or `.txt.gz`, a folder with `vocab.json` and
 *   `merges.txt` (or one of the two), or `tokenizer.json`.
 * @param[out] out_tokenizer To be freed with cleanclip_tokenizer_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: no readable file; CLEANCLIP_FORMAT: not a
 *   vocabulary of CLIP's kind.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_load(const char *path,
                                                        cleanclip_tokenizer **out_tokenizer);

/**
 * Loads the vocabulary that belongs to a model, or else the installed one.
 *
 * Looks beside the model, then at the environment's CLEANCLIP_TOKENIZER, then where the library's
 * package installs OpenAI's vocabulary.
 *
 * @param[in] model_path As in cleanclip_model_load(); NULL looks for the installed one only.
 * @param[out] out_tokenizer To be freed with cleanclip_tokenizer_free().
 * @return CLEANCLIP_NOT_FOUND: none anywhere, the text lists the places; CLEANCLIP_FORMAT.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_find(const char *model_path,
                                                        cleanclip_tokenizer **out_tokenizer);

/** Frees a tokenizer. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_tokenizer_free(cleanclip_tokenizer *tokenizer);

/** Returns the number of token ids; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_tokenizer_vocab_size(const cleanclip_tokenizer *tokenizer);

/**
 * Turns texts into token ids.
 *
 * Each row is start-of-text, the text's tokens, end-of-text, then zeros. A text that is too long is
 * cut so that end-of-text is in the last position.
 *
 * @param[in] texts n texts, none NULL; "" is allowed.
 * @param[in] count n ≥ 0.
 * @param[in] context_length L, 2 … 65536; usually cleanclip_model_context_length().
 * @param[out] out_ids [n, L].
 * @param[in] out_capacity Elements that `out_ids` has room for; at least n * L.
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_tokenizer_encode(const cleanclip_tokenizer *tokenizer,
                                                          const char *const *texts, int64_t count,
                                                          int64_t context_length, int32_t *out_ids,
                                                          size_t out_capacity);

/** @} */
/* ============================================================================================ */
/** @name Encoding                                                                              */
/** @{ */

/** How features are computed. */
typedef struct cleanclip_encode_options {
  size_t struct_size;  /**< Set by cleanclip_encode_options_init(). */
  int64_t batch_size;  /**< Pictures or texts computed at a time; 0: 64. Bounds the memory. */
  int32_t normalize;   /**< 1: features of unit length (default); 0: as the towers give them. */
  int32_t precision;   /**< A cleanclip_precision; default CLEANCLIP_PRECISION_F32. */
} cleanclip_encode_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_encode_options_init(cleanclip_encode_options *options,
                                                 size_t struct_size);

/**
 * Computes features of pictures whose pixels are single-precision numbers in 0 … 1.
 *
 * @param[in] pixels [n, 3, height, width], red, green, blue, in 0 … 1; normalised inside with the
 *   model's mean and standard deviation.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] height S.
 * @param[in] width S.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_SHAPE: height or width is not S; CLEANCLIP_STATE: no image tower;
 *   CLEANCLIP_INVALID_ARGUMENT: a pixel is not a number in 0 … 1, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_images_f32(
    const cleanclip_model *model, const float *pixels, int64_t count, int64_t height,
    int64_t width, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of pictures whose pixels are bytes.
 *
 * Pictures are prepared as CLIP's are: bicubic resize of the shorter side to S as Pillow does it,
 * centre crop, normalisation.
 *
 * @param[in] pixels [n, height, width, 3], red, green, blue.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] height 1 … 65535.
 * @param[in] width 1 … 65535.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_images_u8(
    const cleanclip_model *model, const uint8_t *pixels, int64_t count, int64_t height,
    int64_t width, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of pictures in files: JPEG, PNG or WebP, by content.
 *
 * @param[in] paths n paths, none NULL.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: a file cannot be read; CLEANCLIP_FORMAT: a file is
 *   not a sound picture; CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_image_files(
    const cleanclip_model *model, const char *const *paths, int64_t count,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

/**
 * Computes features of what the ONNX graph itself takes as input: pictures that are prepared and
 * normalised already.
 *
 * @param[in] inputs [n, 3, S, S].
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT: an input is not finite, and
 *   the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_image_inputs(
    const cleanclip_model *model, const float *inputs, int64_t count,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

/**
 * Computes features of texts.
 *
 * @param[in] tokenizer Its vocabulary is the model's.
 * @param[in] texts n texts, none NULL.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no text tower; CLEANCLIP_INVALID_ARGUMENT: the tokenizer has more ids
 *   than the model, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_texts(
    const cleanclip_model *model, const cleanclip_tokenizer *tokenizer, const char *const *texts,
    int64_t count, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of token ids.
 *
 * The feature is that of the end-of-text token; what follows it does not matter.
 *
 * @param[in] ids [n, length]; each in 0 … cleanclip_model_vocab_size() - 1.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] length 1 … L.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_SHAPE: `length` is more than L; CLEANCLIP_STATE: no text tower;
 *   CLEANCLIP_INVALID_ARGUMENT: an id is out of range, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_tokens(
    const cleanclip_model *model, const int32_t *ids, int64_t count, int64_t length,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

/** @} */
/* ============================================================================================ */
/** @name Dataset                                                                               */
/** @{ */

/** Pictures with captions, or with labels, or both: an index; pictures are read when needed. */
typedef struct cleanclip_dataset cleanclip_dataset;

/** How files are read. */
typedef struct cleanclip_dataset_options {
  size_t struct_size;          /**< Set by cleanclip_dataset_options_init(). */
  const char *image_column;    /**< Of csv and tsv; NULL: "image". Paths relative to the file. */
  const char *caption_column;  /**< NULL: "caption". */
  const char *label_column;    /**< Class indices; NULL: "label", used where it exists. */
} cleanclip_dataset_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_dataset_options_init(cleanclip_dataset_options *options,
                                                  size_t struct_size);

/**
 * Opens files of pairs.
 *
 * @param[in] sources Paths or patterns with `*` and `?`: csv or tsv files with a header line,
 *   WebDataset tar shards (KEY.jpg|png|webp with KEY.txt, KEY.cls for a label), or folders of
 *   these. None NULL.
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
} cleanclip_pair;

/**
 * Hands over one pair.
 *
 * Called on a thread of the library, never on two at once. What the members of `pair` point to
 * is read before the next call of this function for the same dataset, or the dataset's end.
 *
 * @param[in] index 0 … count - 1; each may be asked for again.
 * @param[out] pair To be filled.
 * @return 0; anything else: there is no such pair, it is counted as a bad row and skipped.
 */
typedef int32_t (*cleanclip_pair_callback)(int64_t index, cleanclip_pair *pair, void *user_data);

/**
 * Makes a dataset of pairs that the host holds.
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

/** @} */
/* ============================================================================================ */
/** @name Sanitizing                                                                            */
/** @{ */

/** What is done to the model, how long and with which weights. */
typedef struct cleanclip_sanitize_options {
  size_t struct_size;           /**< Set by cleanclip_sanitize_options_init(). */
  const char *method;           /**< NULL or "cleanclip": both losses below on captioned pictures;
                                     "supervised": cross-entropy of a linear head on labelled
                                     pictures, image tower only. */
  const char *state_directory;  /**< Where the resumable state is kept; NULL: nowhere. */
  const char *head_path;        /**< "supervised": a safetensors file for the head; NULL: none. */
  int64_t epochs;               /**< 1 or more; default 10. */
  int64_t batch_size;           /**< Pairs per step, 2 or more; default 64. */
  int64_t warmup_steps;         /**< Steps of linear warm-up, 0 or more; default 50. */
  int64_t save_every;           /**< Steps between saved states, 0: at the end of epochs only;
                                     default 200. */
  int64_t memory_budget;        /**< Bytes that training may use; 0: no limit (default). */
  int64_t class_count;          /**< "supervised": classes of the head; 0: the highest label of the
                                     data set and one (default), which reads all of it. */
  uint64_t seed;                /**< Order, augmentation, head; default 0. */
  float learning_rate;          /**< Highest rate of AdamW, > 0; default 1e-5. */
  float weight_decay;           /**< 0 or more; default 0.1. */
  float clip_weight;            /**< Of the contrastive loss between pictures and captions, the
                                     paper's lambda 1; 0 or more; default 1. */
  float inmodal_weight;         /**< Of the self-supervised loss inside each modality, the
                                     paper's lambda 2; default 1; 0: plain fine-tuning. */
  int32_t precision;            /**< A cleanclip_precision; default CLEANCLIP_PRECISION_AUTO. */
  int32_t resume;               /**< 1: go on from the state in `state_directory`; default 0. */
} cleanclip_sanitize_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_sanitize_options_init(cleanclip_sanitize_options *options,
                                                   size_t struct_size);

/** Where training is, after a step. */
typedef struct cleanclip_progress {
  size_t struct_size;         /**< Set by the library, or by cleanclip_progress_init(). */
  int64_t epoch;              /**< 1 … epochs. */
  int64_t epochs;             /**< All of them. */
  int64_t step;               /**< 1 … steps, over all epochs. */
  int64_t steps;              /**< All of them. */
  double loss;                /**< The weighted sum. */
  double crossmodal_loss;     /**< Between pictures and captions, unweighted; or cross-entropy. */
  double inmodal_loss;        /**< Inside the modalities, unweighted. */
  double learning_rate;       /**< Of this step. */
  double logit_scale;         /**< After the step, exponentiated. */
  double samples_per_second;  /**< Pairs, over the last steps. */
  double waiting_share;       /**< 0 … 1: the part of the time spent waiting for data. */
} cleanclip_progress;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *progress`. */
CLEANCLIP_API void cleanclip_progress_init(cleanclip_progress *progress, size_t struct_size);

/**
 * Hears of progress after each step, on the thread that called cleanclip_sanitize().
 *
 * The model may be read in the callback (encoded with, evaluated, saved), not trained.
 *
 * @param[in] progress Lives for the duration of the call.
 * @return 0 to go on; anything else cancels.
 */
typedef int32_t (*cleanclip_progress_callback)(const cleanclip_progress *progress,
                                               void *user_data);

/** What happened in each step of a training run. */
typedef struct cleanclip_history cleanclip_history;

/**
 * Fine-tunes the model on clean pairs so that a backdoor is forgotten.
 *
 * The model's weights change in place; they are those of the last completed step also when the
 * call is cancelled. With a `state_directory`, a cancelled or killed run goes on from there with
 * `resume` and gives, bit by bit, what it would have given (same machine, threads, precision).
 *
 * @param[in,out] model The model to clean. No other thread may use it meanwhile.
 * @param[in] tokenizer Its vocabulary is the model's; may be NULL for "supervised".
 * @param[in] dataset Clean pairs with captions, or with labels for "supervised"; at least a batch.
 * @param[in] options NULL for the defaults.
 * @param[in] callback Hears of progress and may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_history To be freed with cleanclip_history_free(); may be NULL. Also set when
 *   the call was cancelled.
 * @return CLEANCLIP_CANCELLED: by the callback; CLEANCLIP_STATE: the loss became not a number (the
 *   text says at which step; the model keeps the last good weights), or there is no state to
 *   resume from; CLEANCLIP_INVALID_ARGUMENT: an option out of range, a batch larger than the
 *   dataset, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_sanitize(cleanclip_model *model,
                                                  const cleanclip_tokenizer *tokenizer,
                                                  const cleanclip_dataset *dataset,
                                                  const cleanclip_sanitize_options *options,
                                                  cleanclip_progress_callback callback,
                                                  void *user_data,
                                                  cleanclip_history **out_history);

/** Frees a history. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_history_free(cleanclip_history *history);

/** Returns the number of steps in a history; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_history_count(const cleanclip_history *history);

/**
 * Tells what happened in a step.
 *
 * @param[in] index 0 … cleanclip_history_count() - 1.
 * @param[in,out] out_progress Prepared with cleanclip_progress_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_history_step(const cleanclip_history *history,
                                                      int64_t index,
                                                      cleanclip_progress *out_progress);

/**
 * Writes a history as JSON: the options, and the numbers of each step.
 *
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_history_json(const cleanclip_history *history,
                                                      char *out_text, size_t out_capacity,
                                                      size_t *out_length);

/** @} */
/* ============================================================================================ */
/** @name Attacks                                                                               */
/** @{ */

/** A trigger: what an attacker puts into a picture. */
typedef struct cleanclip_trigger cleanclip_trigger;

/** Where and how a trigger is applied. */
typedef struct cleanclip_trigger_options {
  size_t struct_size;    /**< Set by cleanclip_trigger_options_init(). */
  const char *position;  /**< Of a patch: "random", "corners", or "Y,X" of its top left pixel;
                              NULL: "random". */
  uint64_t seed;         /**< Of the pattern, and of what cleanclip_trigger_apply() draws;
                              default 0. */
  int32_t is_fixed;      /**< 0: new noise for each picture (default); 1: one pattern for all. */
  int32_t patch_size;    /**< Pixels along each side of a drawn patch; 0: a fourteenth of the
                              picture, at least 8. */
  float strength;        /**< Share of a blended pattern, amplitude of a sinusoid of 255, strength of
                              a warp; 0: the attack's own. */
  int32_t reserved;      /**< 0. */
} cleanclip_trigger_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_trigger_options_init(cleanclip_trigger_options *options,
                                                  size_t struct_size);

/**
 * Makes a trigger.
 *
 * @param[in] name "badnets", "blended", "sig", "wanet", "label-consistent", "stripes",
 *   "blended-stripes", "sig-cleanclip", "wanet-cleanclip" (the variants of CleanCLIP's published
 *   code), or the path of a picture that is pasted.
 * @param[in] options NULL for the defaults.
 * @param[out] out_trigger To be freed with cleanclip_trigger_free().
 * @return CLEANCLIP_NOT_FOUND: neither a known name nor a file; CLEANCLIP_FORMAT: not a sound PNG;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_load(const char *name,
                                                      const cleanclip_trigger_options *options,
                                                      cleanclip_trigger **out_trigger);

/** Frees a trigger. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_trigger_free(cleanclip_trigger *trigger);

/**
 * Puts a trigger into pictures.
 *
 * @param[in,out] pixels [n, height, width, 3], red, green, blue.
 * @param[in] count n ≥ 0.
 * @param[in] first_index Number of the first picture: picture i draws the noise and position of
 *   number `first_index` + i, whatever it is grouped with.
 * @param[in] height 1 … 65535.
 * @param[in] width 1 … 65535.
 * @return CLEANCLIP_SHAPE: the patch is larger than the picture, or its position outside;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_apply(const cleanclip_trigger *trigger,
                                                       uint8_t *pixels, int64_t count,
                                                       int64_t first_index, int64_t height,
                                                       int64_t width);

/**
 * Hears how many pictures of how many are done, on the thread that called the function.
 *
 * @return 0 to go on; anything else cancels.
 */
typedef int32_t (*cleanclip_count_callback)(int64_t done, int64_t total, void *user_data);

/** How a set of pairs is poisoned. */
typedef struct cleanclip_poison_options {
  size_t struct_size;               /**< Set by cleanclip_poison_options_init(). */
  const char *target;               /**< What poisoned captions speak of; required. */
  const char *const *templates;     /**< Captions with "{}" for the target; NULL: "a photo of a {}"
                                         and others. */
  int64_t template_count;           /**< Elements of `templates`. */
  int64_t image_size;               /**< Pictures are cut square to this size; 0: 224. */
  int64_t count;                    /**< Poisoned pairs; 0: by `rate`. */
  int64_t pair_count;               /**< Pairs of the result, drawn by chance; 0: all. Poisons
                                         replace clean pairs, they are not added. */
  double rate;                      /**< Share of the pairs, 0 … 1, when `count` is 0; default
                                         0.01. */
  uint64_t seed;                    /**< Which pairs, which captions, positions and noise; default
                                         0. */
  int32_t is_uniform;               /**< 1: clean pictures are cut and encoded like poisoned ones
                                         (default); 0: they are copied. */
  int32_t reserved;                 /**< 0. */
} cleanclip_poison_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_poison_options_init(cleanclip_poison_options *options,
                                                 size_t struct_size);

/**
 * Writes a copy of a set of pairs in which some carry a trigger and a caption of the target.
 *
 * A label-consistent trigger goes onto pictures whose caption names the target; these keep it.
 *
 * @param[in] dataset The pairs to start from.
 * @param[in] trigger What poisoned pictures carry.
 * @param[in] options `target` is required.
 * @param[in] output_path A WebDataset shard, `.tar`, or a `.csv` with a folder of pictures beside.
 * @param[in] truth_path A csv with columns `key`, `poisoned`, `source`; NULL: none.
 * @param[in] callback Hears of progress and may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_poisoned The number of poisoned pairs; may be NULL.
 * @return CLEANCLIP_IO: cannot write; CLEANCLIP_CANCELLED; CLEANCLIP_INVALID_ARGUMENT. Nothing is
 *   left behind then.
 */
CLEANCLIP_API cleanclip_status cleanclip_dataset_poison(const cleanclip_dataset *dataset,
                                                        const cleanclip_trigger *trigger,
                                                        const cleanclip_poison_options *options,
                                                        const char *output_path,
                                                        const char *truth_path,
                                                        cleanclip_count_callback callback,
                                                        void *user_data,
                                                        int64_t *out_poisoned);

/** @} */
/* ============================================================================================ */
/** @name Evaluation                                                                            */
/** @{ */

/** What was measured: counts, shares with intervals, accuracy of each class. */
typedef struct cleanclip_evaluation cleanclip_evaluation;

/** What is measured, with which classes. */
typedef struct cleanclip_evaluate_options {
  size_t struct_size;             /**< Set by cleanclip_evaluate_options_init(). */
  const char *data;               /**< A csv file with columns `image` and `label` (index of the
                                       class); required. */
  const char *classes_path;       /**< A text file with a class name on each line; or: */
  const char *const *classes;     /**< the class names, */
  int64_t class_count;            /**< as many as this. */
  const char *templates_path;     /**< A text file with a prompt with "{}" on each line; or: */
  const char *const *templates;   /**< the prompts, */
  int64_t template_count;         /**< as many as this; none at all: "a photo of a {}". */
  const cleanclip_trigger *trigger; /**< NULL: clean accuracy only. */
  const char *target;             /**< Class name or index that the trigger aims at; required with
                                       a trigger. */
  int64_t batch_size;             /**< Pictures at a time; 0: 64. */
  uint64_t seed;                  /**< Of the trigger's positions and noise; default 0. */
  int32_t precision;              /**< A cleanclip_precision; default CLEANCLIP_PRECISION_F32. */
  int32_t reserved;               /**< 0. */
} cleanclip_evaluate_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_evaluate_options_init(cleanclip_evaluate_options *options,
                                                   size_t struct_size);

/**
 * Measures zero-shot clean accuracy and the success of an attack.
 *
 * A class is the normalised mean of the features of its prompts; a picture belongs to the class
 * with the largest cosine similarity. The attack succeeds on a picture of another class when the
 * trigger turns it into the target; pictures of the target class are not attacked.
 *
 * @param[in] options `data` and the classes are required.
 * @param[in] callback Hears of progress and may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_evaluation To be freed with cleanclip_evaluation_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: a file cannot be read; CLEANCLIP_FORMAT: a file is
 *   broken; CLEANCLIP_UNSUPPORTED: the model lacks a tower; CLEANCLIP_CANCELLED;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluate(const cleanclip_model *model,
                                                  const cleanclip_tokenizer *tokenizer,
                                                  const cleanclip_evaluate_options *options,
                                                  cleanclip_count_callback callback,
                                                  void *user_data,
                                                  cleanclip_evaluation **out_evaluation);

/** Frees an evaluation. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_evaluation_free(cleanclip_evaluation *evaluation);

/** A share of pictures with its 95 % Wilson interval, each in 0 … 1. */
typedef struct cleanclip_share {
  double value; /**< Counted. */
  double low;   /**< Lower end of the interval. */
  double high;  /**< Upper end of the interval. */
} cleanclip_share;

/** The places in `clean_accuracy` and `attack_success_rate`. */
enum {
  CLEANCLIP_TOP1 = 0,
  CLEANCLIP_TOP3 = 1,
  CLEANCLIP_TOP5 = 2,
  CLEANCLIP_TOP10 = 3
};

/** How well a model classifies, and how well an attack on it works. */
typedef struct cleanclip_scores {
  size_t struct_size;                      /**< Set by cleanclip_scores_init(). */
  int64_t images;                          /**< Pictures that were classified. */
  int64_t attacked_images;                 /**< Those of other classes than the target; 0 without a
                                                trigger. */
  int64_t skipped_images;                  /**< Rows that could not be read. */
  cleanclip_share clean_accuracy[4];       /**< CLEANCLIP_TOP1 …: the true class is among the first
                                                k; 1 where there are fewer than k classes. */
  cleanclip_share attack_success_rate[4];  /**< The target is among the first k, of
                                                `attacked_images`; 0 without a trigger. */
} cleanclip_scores;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *scores`. */
CLEANCLIP_API void cleanclip_scores_init(cleanclip_scores *scores, size_t struct_size);

/**
 * Tells the numbers of an evaluation.
 *
 * @param[in,out] out_scores Prepared with cleanclip_scores_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluation_scores(const cleanclip_evaluation *evaluation,
                                                           cleanclip_scores *out_scores);

/**
 * Writes an evaluation as JSON: `clean_accuracy` and, where an attack was measured,
 * `attack_success_rate` with `top1` …, their `intervals_95`, `images`, `attacked_images`, and the
 * accuracy of each class.
 *
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluation_json(const cleanclip_evaluation *evaluation,
                                                         char *out_text, size_t out_capacity,
                                                         size_t *out_length);

/** @} */
/* ============================================================================================ */
/** @name Report                                                                                */
/** @{ */

/** What a report tells. Every member but the size may be NULL. */
typedef struct cleanclip_report_options {
  size_t struct_size;                        /**< Set by cleanclip_report_options_init(). */
  const char *title;                         /**< NULL: a title of the library's. */
  const char *subtitle;                      /**< A line below it: which model, when. */
  const cleanclip_model *model;              /**< Its architecture is described. */
  const cleanclip_evaluation *before;        /**< Before sanitizing. */
  const cleanclip_evaluation *after;         /**< After it. */
  const cleanclip_evaluation *control;       /**< After plain fine-tuning, for comparison. */
  const cleanclip_history *history;          /**< How the losses went. */
  const cleanclip_history *control_history;  /**< And those of plain fine-tuning. */
} cleanclip_report_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_report_options_init(cleanclip_report_options *options,
                                                 size_t struct_size);

/**
 * Writes a report: one self-contained page, or JSON.
 *
 * @param[in] options What it tells.
 * @param[in] path `.html` or `.json`.
 * @return CLEANCLIP_IO; CLEANCLIP_INVALID_ARGUMENT: another ending, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_report_write(const cleanclip_report_options *options,
                                                      const char *path);

/** @} */
/* ============================================================================================ */
/** @name Check                                                                                 */
/** @{ */

/** What a check concludes. */
typedef enum cleanclip_verdict {
  CLEANCLIP_VERDICT_CLEAN = 0,       /**< Nothing that a sound subject would not show too. */
  CLEANCLIP_VERDICT_SUSPICIOUS = 1,  /**< As much as one in twenty sound subjects shows. */
  CLEANCLIP_VERDICT_BACKDOORED = 2,  /**< Less than one in a hundred sound subjects shows it. */
  CLEANCLIP_VERDICT_CANNOT_TELL = 3  /**< The check could not be made well enough. */
} cleanclip_verdict;

/** The result of a check of a model or of a dataset. */
typedef struct cleanclip_check cleanclip_check;

/** How a model is checked. */
typedef struct cleanclip_check_model_options {
  size_t struct_size;                        /**< Set by cleanclip_check_model_options_init(). */
  const cleanclip_dataset *images;           /**< Unlabelled pictures; NULL: pictures are drawn. */
  const cleanclip_tokenizer *tokenizer;      /**< NULL: where a trigger leads is not read out. */
  const char *const *classes;                /**< Class names to read it out of, */
  int64_t class_count;                       /**< as many as this; may be 0. */
  const char *const *templates;              /**< Prompts with "{}", */
  int64_t template_count;                    /**< as many as this; 0: "a photo of a {}". */
  const cleanclip_model *const *references;  /**< Sound checkpoints of the same architecture, */
  int64_t reference_count;                   /**< as many as this; 0: the model's own searches. */
  const char *state_directory;               /**< Where finished searches are kept; NULL: nowhere. */
  int64_t pictures;                          /**< Pictures used at most; 0: 256. */
  int64_t steps;                             /**< Steps of a search at most; 0: 200. */
  int64_t batch_size;                        /**< Pictures of a step; 0: 12. */
  uint64_t seed;                             /**< Default 0. */
  int32_t precision;                         /**< A cleanclip_precision. */
  int32_t reads_nouns;                       /**< Whether common nouns are read out; default 1. */
  int32_t checks_text;                       /**< Whether the text tower is checked too, which needs
                                                  the tokenizer; default 0. */
  int32_t resume;                            /**< 1: go on from the state in `state_directory`. */
  int64_t class_searches;                    /**< Classes that are searched for one by one at most, 4
                                                  to 1000; 0: 10; -1: none. */
} cleanclip_check_model_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_check_model_options_init(cleanclip_check_model_options *options,
                                                      size_t struct_size);

/**
 * Looks for a backdoor in the image tower by inverting triggers, and in the text tower on request by
 * trying every word of the vocabulary.
 *
 * The model is used exclusively while this runs, though it is not changed. With a `state_directory`,
 * a cancelled or killed check goes on after the last finished search with `resume` and gives, bit by
 * bit, what it would have given.
 *
 * @param[in] options NULL: the defaults.
 * @param[in] callback Told of steps; non-zero cancels; may be NULL.
 * @param[out] out_check Free with cleanclip_check_free().
 * @return CLEANCLIP_INVALID_ARGUMENT; CLEANCLIP_STATE: weights that give NaN, or the state of another
 *   check; CLEANCLIP_CANCELLED.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_model(cleanclip_model *model,
                                                     const cleanclip_check_model_options *options,
                                                     cleanclip_count_callback callback,
                                                     void *user_data,
                                                     cleanclip_check **out_check);

/** How a dataset is checked. */
typedef struct cleanclip_check_data_options {
  size_t struct_size;                          /**< Set by cleanclip_check_data_options_init(). */
  const cleanclip_model *trusted;              /**< Another checkpoint; may be NULL. */
  const cleanclip_tokenizer *trusted_tokenizer; /**< Required with `trusted`. */
  const float *image_features;                 /**< [dataset count, embed_dim] of the suspect, not
                                                    normalised; NULL: computed. */
  int64_t embed_dim;                           /**< Columns of `image_features`. */
  const float *trusted_image_features;         /**< [dataset count, trusted_embed_dim] of pictures by
                                                    a trusted checkpoint; NULL: none. */
  const float *trusted_text_features;          /**< The same of captions. */
  int64_t trusted_embed_dim;                   /**< Columns of both. */
  const char *const *keys;                     /**< Without a dataset: names of the pairs; NULL: the
                                                    numbers of their rows, from 0. */
  const char *const *captions;                 /**< Without a dataset: captions; NULL: unknown. */
  int64_t pair_count;                          /**< Without a dataset: the number of pairs. */
  const char *state_directory;                 /**< Where what was read is kept; NULL: nowhere. */
  double assumed_poison_rate;                  /**< Sizes the reference sets; 0: 0.01. */
  uint64_t seed;                               /**< Default 0. */
  int32_t precision;                           /**< A cleanclip_precision. */
  int32_t finds_patches;                       /**< Whether recurring patches count; default 0. */
  int32_t resume;                              /**< 1: go on from the state in `state_directory`. */
} cleanclip_check_data_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_check_data_options_init(cleanclip_check_data_options *options,
                                                     size_t struct_size);

/**
 * Looks for poisoned pairs in the data that a model was trained on.
 *
 * Pairs that cannot be read are left out, unless features are given, which belong to all pairs. With
 * a `state_directory`, a cancelled or killed check goes on after the last pairs that were kept, 512 at
 * a time, with `resume` and gives, bit by bit, what it would have given. Another seed or assumed rate
 * may go on from the same state; it starts with the neighbours at once when all pairs were read.
 *
 * @param[in] model The suspect; NULL with features given, or with a trusted checkpoint alone.
 * @param[in] dataset NULL with features given; a report has no pictures then.
 * @param[in] options NULL: the defaults.
 * @param[in] callback Told of pairs read, then of pairs whose neighbours were found, of twice their
 *   number; non-zero cancels; may be NULL.
 * @param[out] out_check Free with cleanclip_check_free().
 * @return CLEANCLIP_INVALID_ARGUMENT, CLEANCLIP_SHAPE; CLEANCLIP_STATE: the state of another check;
 *   CLEANCLIP_CANCELLED.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_data(const cleanclip_model *model,
                                                    const cleanclip_dataset *dataset,
                                                    const cleanclip_check_data_options *options,
                                                    cleanclip_count_callback callback,
                                                    void *user_data,
                                                    cleanclip_check **out_check);

/** Frees a result; NULL is a no-op. */
CLEANCLIP_API void cleanclip_check_free(cleanclip_check *check);

/** The verdict; CLEANCLIP_VERDICT_CANNOT_TELL for NULL. */
CLEANCLIP_API cleanclip_verdict cleanclip_check_verdict(const cleanclip_check *check);

/** The number of pairs that have scores: 0 for a check of a model, and for NULL. */
CLEANCLIP_API int64_t cleanclip_check_score_count(const cleanclip_check *check);

/**
 * Copies the scores of the pairs, in the order of the dataset; higher is more suspicious.
 *
 * @param[out] out_scores Room for cleanclip_check_score_count() numbers.
 * @param[in] out_capacity Numbers that `out_scores` has room for.
 * @return CLEANCLIP_INVALID_ARGUMENT: too small.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_scores(const cleanclip_check *check,
                                                      float *out_scores, size_t out_capacity);

/**
 * Writes a result as JSON.
 *
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_json(const cleanclip_check *check, char *out_text,
                                                    size_t out_capacity, size_t *out_length);

/**
 * Writes a result to a file.
 *
 * @param[in] path `.html`: a self-contained page with pictures; `.json`; for a dataset also `.csv`,
 *     the scores, and `.txt`, the keys of the pairs that stay.
 * @return CLEANCLIP_IO; CLEANCLIP_INVALID_ARGUMENT: another ending.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_write(const cleanclip_check *check,
                                                     const char *path);

/** Clean pictures' features, against which others are judged. */
typedef struct cleanclip_bank cleanclip_bank;

/**
 * Makes a bank.
 *
 * @param[in] image_features [count, embed_dim] of clean pictures, not normalised; copied.
 * @param[in] count At least 50; 200 are enough for a false-alarm rate of 0.01.
 * @return CLEANCLIP_INVALID_ARGUMENT: too few, NaN, or all equal.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_create(const float *image_features, int64_t count,
                                                     int64_t embed_dim, cleanclip_bank **out_bank);

/**
 * Adds class texts to a bank, which give pictures two more signals: the product with a direction
 * between matching and distracted descriptions of the classes (BDetCLIP), and the part of the
 * feature outside the span of the texts.
 *
 * @param[in] model The one that the bank's features are of.
 * @param[in] classes Class names,
 * @param[in] class_count as many as this, at least 1.
 * @param[in] templates Prompts with "{}",
 * @param[in] template_count as many as this; 0: "a photo of a {}".
 * @return CLEANCLIP_INVALID_ARGUMENT; CLEANCLIP_SHAPE: the model does not fit the bank;
 *   CLEANCLIP_UNSUPPORTED: it has no text tower.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_add_classes(
    cleanclip_bank *bank, const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
    const char *const *classes, int64_t class_count, const char *const *templates,
    int64_t template_count);

/** Reads a bank. @return CLEANCLIP_NOT_FOUND, CLEANCLIP_FORMAT. */
CLEANCLIP_API cleanclip_status cleanclip_bank_load(const char *path, cleanclip_bank **out_bank);

/** Writes a bank as a safetensors file. @return CLEANCLIP_IO. */
CLEANCLIP_API cleanclip_status cleanclip_bank_save(const cleanclip_bank *bank, const char *path);

/** Frees a bank; NULL is a no-op. */
CLEANCLIP_API void cleanclip_bank_free(cleanclip_bank *bank);

/**
 * Judges pictures by their features.
 *
 * @param[in] bank Clean pictures' features by the same model.
 * @param[in] image_features [count, embed_dim], not normalised; borrowed for the call.
 * @param[in] count May be 0.
 * @param[in] embed_dim That of the bank.
 * @param[in] false_alarm_rate Share of clean pictures that may be flagged.
 * @param[out] out_scores Room for `count` scores; higher is more suspicious; may be NULL.
 * @param[out] out_flags Room for `count` flags, 1 for a trigger; may be NULL.
 * @return CLEANCLIP_INVALID_ARGUMENT: the bank is too small for the rate; CLEANCLIP_SHAPE.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_inputs(const cleanclip_bank *bank,
                                                      const float *image_features, int64_t count,
                                                      int64_t embed_dim, double false_alarm_rate,
                                                      float *out_scores, int32_t *out_flags);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
