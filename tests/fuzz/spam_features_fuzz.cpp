// SPDX-License-Identifier: MIT
// links: spam
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/text.hpp"
#include "common/spam/features.hpp"
#include "common/spam/field.hpp"

// Any bytes are some message: its features are bounded in number and length, the same each time, each there once.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gk::spam;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    const FeatureLimits limits{.text = 4000, .html = 8000, .header = 4000, .features = 700, .links = 20};
    const auto structure = gk::message::scan(in);
    const Features features = read_features(in, structure, limits);
    if (features.size() > limits.features) std::abort();
    std::size_t grouped = 0;
    for (const auto group : {Group::Trait, Group::Word, Group::Pair}) grouped += features.count(group);
    if (grouped != features.size()) std::abort();
    for (std::size_t i = 0; i < features.size(); ++i) {
        if (features.text(i).size() > 250 || features.id(i) != feature_id(features.text(i))) std::abort();
    }
    if (identity_of(features) != identity_of(read_features(in, structure, limits))) std::abort();

    Judgement judged;
    for (std::size_t i = 0; i < features.size() && i < 5; ++i)
        judged.reasons.push_back({std::string(features.text(i)), 1});
    const std::string field = format_field(judged);
    if (!gk::text::is_ascii(field) || !read_field(field + "\r\n")) std::abort();
    if (const auto without = without_field(in); without && (without->size() >= in.size() || without_field(*without)))
        std::abort();
    return 0;
}
