// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>
#include <cerrno>

#include "common/base/text.hpp"
#include "common/os/fd.hpp"
#include "common/os/file.hpp"
#include "common/reports_log/observations.hpp"

namespace gk::reports {
namespace {

namespace json = boost::json;

// Reads members of the expected type only: anything else in their place makes the line bad.
class Members {
public:
    static Result<json::object> parse(std::string_view line) {
        while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
        if (line.empty() || line.size() > kLineLimit) return fail(Errc::BadInput, "not a line of observations");
        boost::system::error_code error;
        json::parse_options options;
        options.max_depth = 4;
        auto value = json::parse(line, error, {}, options);
        if (error || !value.is_object()) return fail(Errc::BadInput, "not a line of observations");
        return std::move(value.get_object());
    }

    explicit Members(const json::object& object) : object_(object) {}

    void read(std::string_view key, std::string& out) {
        if (const auto* value = object_.if_contains(key)) take(*value, out);
    }
    void read(std::string_view key, bool& out) {
        if (const auto* value = object_.if_contains(key)) {
            if (value->is_bool()) out = value->get_bool();
            else good_ = false;
        }
    }
    void read(std::string_view key, std::int64_t& out) {
        if (const auto* value = object_.if_contains(key)) {
            if (value->is_int64()) out = value->get_int64();
            else good_ = false;
        }
    }
    void read(std::string_view key, std::vector<std::string>& out) {
        each(key, [&](const json::value& value) { take(value, out.emplace_back()); });
    }
    void each(std::string_view key, const std::function<void(const json::value&)>& visit) {
        const auto* value = object_.if_contains(key);
        if (value == nullptr) return;
        if (!value->is_array()) {
            good_ = false;
            return;
        }
        for (const auto& element : value->get_array()) visit(element);
    }
    // The members of VALUE, read by VISIT.
    void inner(const json::value& value, const std::function<void(Members&)>& visit) {
        if (!value.is_object()) {
            good_ = false;
            return;
        }
        Members members(value.get_object());
        visit(members);
        good_ = good_ && members.good_;
    }
    const json::value* find(std::string_view key) const { return object_.if_contains(key); }
    bool good() const noexcept { return good_; }

private:
    void take(const json::value& value, std::string& out) {
        if (value.is_string()) out.assign(value.get_string().begin(), value.get_string().end());
        else good_ = false;
    }
    const json::object& object_;
    bool good_ = true;
};

// A century on both sides of the epoch: what lies outside cannot be added up without overflow.
constexpr std::int64_t kMostMilliseconds = 250LL * 366 * 86'400'000;

Result<TimePoint> time_of(Members& members) {
    std::int64_t version = 0, at_ms = -1;
    members.read("v", version);
    members.read("at_ms", at_ms);
    if (version != 1 || at_ms < 0 || at_ms > kMostMilliseconds) return fail(Errc::BadInput, "not an observation");
    return TimePoint(std::chrono::milliseconds(at_ms));
}

Status check(bool good) {
    if (!good) return fail(Errc::BadInput, "an observation lacks a member, or has one of another type");
    return ok();
}

// Lines of any length, one in memory; of those past the limit, none.
class LineFile {
public:
    static Result<LineFile> open(const std::string& path) {
        LineFile file;
        // Links are not followed: more than one program may write to the directory.
        file.fd_ = os::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!file.fd_) return fail_errno(fmt::format("cannot open '{}'", path));
        file.path_ = path;
        return file;
    }
    // false at the end. A last line without LF is torn, and BAD.
    Result<bool> next(std::string& line, bool& bad) {
        line.clear();
        bad = false;
        for (;;) {
            const std::size_t end = buffer_.find('\n', at_);
            const std::string_view piece =
                std::string_view(buffer_).substr(at_, end == std::string::npos ? end : end - at_);
            if (line.size() + piece.size() >= kLineLimit) bad = true;
            if (!bad) line += piece;
            if (end != std::string::npos) {
                at_ = end + 1;
                started_ = false;
                return true;
            }
            started_ = started_ || !piece.empty();
            GK_TRY(const bool more, refill());
            if (!more) {
                bad = std::exchange(started_, false);
                return bad;
            }
        }
    }

private:
    Result<bool> refill() {
        buffer_.resize(64 * 1024);
        ssize_t n;
        do n = ::read(fd_.get(), buffer_.data(), buffer_.size());
        while (n < 0 && errno == EINTR);
        if (n < 0) return fail_errno(fmt::format("cannot read '{}'", path_));
        buffer_.resize(static_cast<std::size_t>(n));
        at_ = 0;
        return n > 0;
    }
    os::Fd fd_;
    std::string path_, buffer_;
    std::size_t at_ = 0;
    bool started_ = false;
};

template <class Observation, class Parse>
Result<LinesRead> read_lines(const std::string& path, Parse parse, const std::function<Status(Observation)>& each) {
    GK_TRY(LineFile file, LineFile::open(path));
    LinesRead read;
    std::string line;
    for (bool bad = false;;) {
        GK_TRY(const bool more, file.next(line, bad));
        if (!more) return read;
        auto observation = bad ? Result<Observation>(fail(Errc::BadInput, "too long, or torn")) : parse(line);
        if (!observation) {
            ++read.bad;
            continue;
        }
        GK_CHECK(each(std::move(*observation)));
        ++read.good;
    }
}

}  // namespace

Result<DmarcObservation> parse_dmarc(std::string_view line) {
    GK_TRY(const json::object object, Members::parse(line));
    Members members(object);
    DmarcObservation o;
    GK_TRY(o.at, time_of(members));
    members.read("source_ip", o.source_ip);
    members.read("envelope_from", o.envelope_from);
    members.read("envelope_to", o.envelope_to);
    members.read("header_from", o.header_from);
    members.read("policy_domain", o.policy_domain);
    members.read("organizational_domain", o.organizational_domain);
    members.read("p", o.p);
    members.read("sp", o.sp);
    members.read("np", o.np);
    members.read("adkim", o.adkim);
    members.read("aspf", o.aspf);
    members.read("t", o.t);
    members.read("fo", o.fo);
    members.read("discovery_method", o.discovery_method);
    members.read("disposition", o.disposition);
    members.read("dkim_aligned", o.dkim_aligned);
    members.read("spf_aligned", o.spf_aligned);
    members.read("rua", o.rua);
    members.read("is_report", o.is_report);
    members.each("reasons", [&](const json::value& value) {
        members.inner(value, [&](Members& m) {
            auto& reason = o.reasons.emplace_back();
            m.read("type", reason.type);
            m.read("comment", reason.comment);
        });
    });
    members.each("dkim", [&](const json::value& value) {
        members.inner(value, [&](Members& m) {
            auto& signature = o.dkim.emplace_back();
            m.read("domain", signature.domain);
            m.read("selector", signature.selector);
            m.read("result", signature.result);
        });
    });
    if (const auto* spf = members.find("spf"))
        members.inner(*spf, [&](Members& m) {
            o.spf.emplace();
            o.spf->scope.clear();
            m.read("domain", o.spf->domain);
            m.read("scope", o.spf->scope);
            m.read("result", o.spf->result);
        });
    GK_CHECK(check(members.good() && !o.source_ip.empty() && !o.header_from.empty() && !o.policy_domain.empty() &&
                   !o.disposition.empty()));
    return o;
}

Result<TlsObservation> parse_tls(std::string_view line) {
    GK_TRY(const json::object object, Members::parse(line));
    Members members(object);
    TlsObservation o;
    GK_TRY(o.at, time_of(members));
    members.read("policy_domain", o.policy_domain);
    members.read("policy_type", o.policy_type);
    members.read("policy", o.policy);
    members.read("mx_patterns", o.mx_patterns);
    members.read("result", o.result);
    members.read("sending_ip", o.sending_ip);
    members.read("receiving_mx", o.receiving_mx);
    members.read("receiving_ip", o.receiving_ip);
    members.read("receiving_helo", o.receiving_helo);
    members.read("reason_code", o.reason_code);
    members.read("additional", o.additional);
    members.read("rua", o.rua);
    members.read("is_report", o.is_report);
    GK_CHECK(check(members.good() && !o.policy_domain.empty() && !o.policy_type.empty() && !o.result.empty()));
    return o;
}

Result<LinesRead> read_dmarc(const std::string& path, const std::function<Status(DmarcObservation)>& each) {
    return read_lines<DmarcObservation>(path, parse_dmarc, each);
}

Result<LinesRead> read_tls(const std::string& path, const std::function<Status(TlsObservation)>& each) {
    return read_lines<TlsObservation>(path, parse_tls, each);
}

Result<std::vector<DayFile>> day_files(const std::string& reports_dir, Kind kind) {
    const auto listed = os::list_directory(reports_dir);
    if (!listed && listed.error().code == Errc::NotFound) return std::vector<DayFile>{};
    if (!listed) return fail(listed.error());
    std::vector<DayFile> files;
    const std::string_view prefix = kind == Kind::Dmarc ? "dmarc-" : "tlsrpt-";
    for (const auto& entry : *listed) {
        std::string_view name = entry.name;
        if (!name.starts_with(prefix) || !name.ends_with(".jsonl")) continue;
        name = name.substr(prefix.size(), name.size() - prefix.size() - 6);
        if (name.size() != 8) continue;
        const auto year = text::to_uint(name.substr(0, 4)), month = text::to_uint(name.substr(4, 2)),
                   day = text::to_uint(name.substr(6, 2));
        if (!year || !month || !day) continue;
        const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                               std::chrono::month(static_cast<unsigned>(*month)),
                                               std::chrono::day(static_cast<unsigned>(*day))};
        if (!date.ok()) continue;
        files.push_back({std::chrono::sys_days(date).time_since_epoch().count(), reports_dir + "/" + entry.name});
    }
    std::sort(files.begin(), files.end(), [](const DayFile& a, const DayFile& b) { return a.day < b.day; });
    return files;
}

}  // namespace gk::reports
