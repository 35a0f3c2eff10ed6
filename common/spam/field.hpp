// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/spam/score.hpp"

// The header field that says what gk-deliver thought of a message:
// X-GK-Spam: spam; score=0.993; reasons="link-host:a.test +1.2, subject:offer +0.8"
namespace gk::spam {

constexpr std::string_view kFieldName = "X-GK-Spam";

// The whole field, folded, in ASCII, ended by CRLF. What strangers wrote and a reason repeats is cut and made harmless.
std::string format_field(const Judgement& judgement);

// What the field says in a message that gk-deliver wrote: only one in front of the first Received field counts.
struct Told {
    Verdict verdict = Verdict::Unsure;
    double score = 0.5;
};
std::optional<Told> read_field(std::string_view message);

// MESSAGE without any field of that name; nothing where it has none.
std::optional<std::string> without_field(std::string_view message);

}  // namespace gk::spam
