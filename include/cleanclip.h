/**
 * @file cleanclip.h
 * @brief C interface of libcleanclip: sanitize poisoned CLIP checkpoints inside any program.
 *
 * A CLIP model that was trained on images and captions from the web may carry a backdoor: a
 * trigger in an image makes the model see whatever an attacker chose. This library loads such a
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
 * Tensors, images and files for which there is no memory are CLEANCLIP_OUT_OF_MEMORY. Libraries below
 * do not fail so: OpenBLAS waits for its buffers, the Swift run time ends the process. Where the
 * address space is limited (RLIMIT_AS, `ulimit -v`), tensors leave free what these may take, 192 MiB and
 * for each thread its stack and 64 MiB. Where less than 200 MB are left when this library is loaded,
 * OpenBLAS's threads never get their buffers and exit() waits for them: set OPENBLAS_NUM_THREADS=1 before,
 * or end with _exit(). A control group bounds memory without that danger.
 *
 * **Arrays** are contiguous and row-major, numbers native-endian. Letters of shapes: n images or
 * texts, S cleanclip_model_image_size(), L cleanclip_model_context_length(), E
 * cleanclip_model_embed_dim().
 *
 * **Strings** are UTF-8 and end with NUL.
 *
 * **Structs** start with `struct_size`, which the `_init` function sets together with the defaults.
 * Members are only ever appended; the library reads and writes no byte beyond `struct_size`.
 *
 * **Compatibility.** A program runs with every later library of the same SONAME, libcleanclip.so.MAJOR.
 * Within it nothing is removed, renumbered or retyped, functions and values are added, and structs grow at
 * their end. Names have the version that brought them (`cleanclip_model_load@CLEANCLIP_0.1`), so that a program
 * which needs a newer library is refused when it starts, not when it calls. What has a successor is
 * CLEANCLIP_DEPRECATED for at least one minor version and stays until MAJOR changes.
 *
 * **Callbacks** run on the calling thread unless their type says otherwise, and must not unwind
 * (no C++ exception, no longjmp) through the library.
 *
 * **Loading.** The library stays mapped after dlclose(), so that it may be opened again. Its classes of
 * ONNX messages have names of their own, and may meet a host's `onnx::ModelProto` of any version. It uses
 * the system's libprotobuf-lite: a host that exports the symbols of another version of protobuf to
 * everybody (linked with -rdynamic, or opened with RTLD_GLOBAL before) must open this library with
 * RTLD_DEEPBIND.
 */
#ifndef CLEANCLIP_H
#define CLEANCLIP_H

/* In reading order. */
#include "cleanclip/version.h"
#include "cleanclip/status.h"
#include "cleanclip/computing.h"
#include "cleanclip/model.h"
#include "cleanclip/tokenizer.h"
#include "cleanclip/data.h"
#include "cleanclip/encode.h"
#include "cleanclip/communicator.h"
#include "cleanclip/sanitize.h"
#include "cleanclip/attack.h"
#include "cleanclip/evaluate.h"
#include "cleanclip/check.h"
#include "cleanclip/bank.h"
#include "cleanclip/report.h"

#endif
