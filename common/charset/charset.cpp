// SPDX-License-Identifier: MIT
#include "common/charset/charset.hpp"

#include <iconv.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace gk::charset {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kPooled = 4;    // idle converters kept of one charset
constexpr std::size_t kMaxTail = 64;  // bytes of an incomplete character or escape sequence

// Opening a converter loads a shared object; so they are kept. Keys are names from our own table, so few.
class Pool {
public:
    iconv_t take(std::string_view name) {
        {
            const std::lock_guard lock(mutex_);
            auto& idle = idle_[name];
            if (!idle.empty()) {
                const iconv_t converter = idle.back();
                idle.pop_back();
                return converter;
            }
        }
        return ::iconv_open("UTF-8", std::string(name).c_str());
    }
    void give_back(std::string_view name, iconv_t converter) {
        ::iconv(converter, nullptr, nullptr, nullptr, nullptr);  // to its initial state
        const std::lock_guard lock(mutex_);
        auto& idle = idle_[name];
        if (idle.size() < kPooled) idle.push_back(converter);
        else ::iconv_close(converter);
    }

private:
    std::mutex mutex_;
    std::map<std::string_view, std::vector<iconv_t>> idle_;
};

Pool& pool() {
    static Pool* const instance = new Pool;  // lives until the end: decoders may be static too
    return *instance;
}

// 0x80 to 0x9F of Windows-1252; the five holes are the C1 controls, as browsers have it.
constexpr char16_t kCp1252[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

std::size_t ascii_run(std::string_view s, std::size_t from) noexcept {
    std::size_t i = from;
    while (i + 8 <= s.size()) {
        std::uint64_t word;
        std::memcpy(&word, s.data() + i, 8);
        if (word & 0x8080808080808080u) break;
        i += 8;
    }
    while (i < s.size() && static_cast<unsigned char>(s[i]) < 0x80) ++i;
    return i - from;
}

// How many bytes at the end of S may be the begin of a UTF-8 character whose rest is still to come.
std::size_t incomplete_utf8(std::string_view s) noexcept {
    for (std::size_t back = 1; back <= 3 && back <= s.size(); ++back) {
        const auto c = static_cast<unsigned char>(s[s.size() - back]);
        if ((c & 0xC0) == 0x80) continue;
        const std::size_t wanted = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        return wanted > back ? back : 0;
    }
    return 0;
}

}  // namespace

struct Decoder::State {
    enum class Kind { Utf8, Cp1252, Iconv } kind = Kind::Utf8;
    std::string_view name;  // from the table: lives for ever
    iconv_t converter = nullptr;
    std::string tail;

    ~State() {
        if (converter) pool().give_back(name, converter);
    }

    void utf8(std::string_view in, std::string& out, bool last) {
        std::string joined;
        if (!tail.empty()) {
            joined = std::exchange(tail, {}).append(in);
            in = joined;
        }
        if (!last) {
            const std::size_t keep = incomplete_utf8(in);
            tail.assign(in.substr(in.size() - keep));
            in.remove_suffix(keep);
        }
        for (std::size_t i = 0; i < in.size();) {
            const std::size_t run = ascii_run(in, i);
            out.append(in.substr(i, run));
            i += run;
            if (i < in.size()) append_utf8(out, next_utf8(in, i));
        }
    }

    static void cp1252(std::string_view in, std::string& out) {
        for (std::size_t i = 0; i < in.size();) {
            const std::size_t run = ascii_run(in, i);
            out.append(in.substr(i, run));
            i += run;
            if (i == in.size()) break;
            const auto c = static_cast<unsigned char>(in[i++]);
            append_utf8(out, c < 0xA0 ? kCp1252[c - 0x80] : c);
        }
    }

    void convert(std::string_view bytes, std::string& out) {
        std::string joined;
        if (!tail.empty()) {
            joined = std::exchange(tail, {}).append(bytes);
            bytes = joined;
        }
        char* in = const_cast<char*>(bytes.data());  // iconv does not write through it
        std::size_t left = bytes.size();
        char buffer[4096];
        while (left > 0) {
            char* to = buffer;
            std::size_t room = sizeof buffer;
            const std::size_t before = left;
            const std::size_t done = ::iconv(converter, &in, &left, &to, &room);
            const int why = done == std::size_t(-1) ? errno : 0;
            out.append(buffer, sizeof buffer - room);
            if (why == 0 ? left < before : why == E2BIG && (left < before || room < sizeof buffer)) continue;
            if (why == EINVAL && left <= kMaxTail) {
                tail.assign(in, left);
                return;
            }
            out.append(kReplacement);  // one byte that means nothing here, then on
            ++in, --left;
        }
    }
};

Decoder::Decoder(std::string_view charset) : state_(std::make_unique<State>()) {
    const std::string_view name = canonical_name(charset);
    if (name.empty() || name == "UTF-8") return;
    if (name == "CP1252") {
        state_->kind = State::Kind::Cp1252;
        return;
    }
    const iconv_t converter = pool().take(name);
    if (converter == iconv_t(-1)) return;  // not installed here (libc-bin without gconv): read as UTF-8
    state_->kind = State::Kind::Iconv;
    state_->name = name;
    state_->converter = converter;
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

void Decoder::feed(std::string_view bytes, std::string& out) {
    switch (state_->kind) {
        case State::Kind::Utf8: return state_->utf8(bytes, out, false);
        case State::Kind::Cp1252: return State::cp1252(bytes, out);
        case State::Kind::Iconv: return state_->convert(bytes, out);
    }
}

void Decoder::finish(std::string& out) {
    if (state_->kind == State::Kind::Utf8) return state_->utf8({}, out, true);
    if (state_->kind != State::Kind::Iconv) return;
    char buffer[64];
    char* to = buffer;
    std::size_t room = sizeof buffer;
    ::iconv(state_->converter, nullptr, nullptr, &to, &room);
    out.append(buffer, sizeof buffer - room);
    if (!std::exchange(state_->tail, {}).empty()) out.append(kReplacement);
}

std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t limit) {
    std::string out;
    Decoder decoder(charset);
    constexpr std::size_t kChunk = 64 * 1024;
    while (!bytes.empty() && out.size() <= limit) {
        decoder.feed(bytes.substr(0, kChunk), out);
        bytes.remove_prefix(std::min(kChunk, bytes.size()));
    }
    if (out.size() <= limit) decoder.finish(out);
    if (out.size() > limit) {
        while (limit > 0 && (static_cast<unsigned char>(out[limit]) & 0xC0) == 0x80) --limit;
        out.resize(limit);
    }
    return out;
}

void preload() {
    for (const char* name : {"ISO-8859-2", "ISO-8859-15",   "CP1250", "CP1251",     "CP1254",     "KOI8-R", "GB18030",
                             "BIG5-HKSCS", "ISO-2022-JP-2", "CP932",  "EUC-JP",     "UHC",        "UTF-7",  "UTF-16",
                             "CP1253",     "CP1255",        "CP1256", "ISO-8859-5", "ISO-8859-7", "KOI8-U"})
        Decoder{name};
}

}  // namespace gk::charset
