/**
 * @file cleanclip.hpp
 * @brief C++17 interface of libcleanclip: handles that free themselves, exceptions, containers.
 *
 * Header only; link with `-lcleanclip`. What the functions do, and the thread rules, are in
 * cleanclip.h. Functions throw cleanclip::Error where the C function returns a status. What a function
 * of the program throws while the library calls it comes out of the call as it was thrown.
 *
 * @code{.cpp}
 * cleanclip::Model model("clip.onnx");
 * cleanclip::Tokenizer tokenizer = cleanclip::Tokenizer::find("clip.onnx");
 * cleanclip::Dataset pairs({"finetune-*.tar"});
 * cleanclip::SanitizeOptions options;
 * options.epochs = 4;
 * cleanclip::sanitize(model, tokenizer, pairs, options, [](const cleanclip_progress &progress) {
 *   std::cerr << progress.step << "/" << progress.steps << "\r";
 *   return true;
 * });
 * model.save("clean.onnx");
 * @endcode
 */
#ifndef CLEANCLIP_HPP
#define CLEANCLIP_HPP

#include <cleanclip.h>

// In reading order.
#include "cleanclip/version.hpp"
#include "cleanclip/status.hpp"
#include "cleanclip/computing.hpp"
#include "cleanclip/model.hpp"
#include "cleanclip/tokenizer.hpp"
#include "cleanclip/data.hpp"
#include "cleanclip/encode.hpp"
#include "cleanclip/communicator.hpp"
#include "cleanclip/sanitize.hpp"
#include "cleanclip/attack.hpp"
#include "cleanclip/evaluate.hpp"
#include "cleanclip/check.hpp"
#include "cleanclip/bank.hpp"
#include "cleanclip/report.hpp"

#endif
