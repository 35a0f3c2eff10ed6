// SPDX-License-Identifier: MIT
#include "common/mailauth/dmarc/suffix_list.hpp"

#include <fmt/format.h>
#include <libpsl.h>

#include <cstdio>

namespace gk::mailauth::dmarc {

void SuffixList::Free::operator()(psl_ctx_st* list) const noexcept { ::psl_free(list); }

Result<SuffixList> SuffixList::load(const std::string& file) {
    psl_ctx_t* list = file.empty() ? ::psl_latest(nullptr) : ::psl_load_file(file.c_str());
    if (!list)
        return fail(Errc::Config, file.empty() ? "there is no public suffix list: install the package publicsuffix"
                                               : fmt::format("'{}' cannot be read as a public suffix list", file));
    return SuffixList(list);
}

Result<SuffixList> SuffixList::parse(std::string_view text) {
    std::string copy(text);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(::fmemopen(copy.data(), copy.size(), "r"), &std::fclose);
    psl_ctx_t* list = file ? ::psl_load_fp(file.get()) : nullptr;
    if (!list) return fail(Errc::BadInput, "not a public suffix list");
    return SuffixList(list);
}

bool SuffixList::is_suffix(const std::string& name) const noexcept {
    return ::psl_is_public_suffix(list_.get(), name.c_str()) == 1;
}

std::string SuffixList::registered_domain(const std::string& name) const {
    const char* domain = ::psl_registrable_domain(list_.get(), name.c_str());
    return domain ? domain : "";
}

}  // namespace gk::mailauth::dmarc
