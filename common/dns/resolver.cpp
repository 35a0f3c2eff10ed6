// SPDX-License-Identifier: MIT
#include "common/dns/resolver.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "common/base/text.hpp"
#include "common/os/fd.hpp"

namespace gk::dns {
namespace {

constexpr int kClassIn = 1;
constexpr std::string_view kBogus = "DNSSEC validation of ";
constexpr int kServfail = 2, kNxdomain = 3;
constexpr std::chrono::seconds kKeepAnswers{60};

Error context_error(std::string_view what, int code) {
    return Error{Errc::Config, fmt::format("resolver: {}: {}", what, ub_strerror(code))};
}

// libunbound writes a port behind '@'; people write ':'.
std::string unbound_address(std::string_view s) {
    if (s.starts_with('[')) {
        const auto end = s.find(']');
        if (end == std::string_view::npos) return std::string(s);
        std::string ip(s.substr(1, end - 1));
        const auto rest = s.substr(end + 1);
        if (rest.size() > 1 && (rest[0] == ':' || rest[0] == '@')) ip += fmt::format("@{}", rest.substr(1));
        return ip;
    }
    std::string out(s);
    if (const auto colon = out.find(':'); colon != std::string::npos && out.find(':', colon + 1) == std::string::npos)
        out[colon] = '@';
    return out;
}

// LDH, underscores and dots: what mail asks for, and \DDD for the labels of policies that are made from local parts
// (RFC 7208, 7). Anything else is not sent out.
bool is_plain_name(std::string_view name) {
    if (name.empty() || name.front() == '.') return false;
    std::size_t label = 0, size = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (++size > 253) return false;
        if (c == '\\') {
            const auto code = i + 3 < name.size() ? text::to_uint(name.substr(i + 1, 3)) : std::nullopt;
            if (!code || *code > 255) return false;
            i += 3;
            if (++label > 63) return false;
            continue;
        }
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        if (!text::is_alpha(c) && !text::is_digit(c) && c != '-' && c != '_') return false;
        if (++label > 63) return false;
    }
    return true;
}

// A question under way; shared by the asking thread and libunbound's callback.
struct Query {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    int error = 0;
    ub_result* result = nullptr;
    ~Query() {
        if (result) ub_resolve_free(result);
    }
};

void on_answer(void* data, int error, ub_result* result) {
    const std::unique_ptr<std::shared_ptr<Query>> owned(static_cast<std::shared_ptr<Query>*>(data));
    Query& query = **owned;
    const std::lock_guard lock(query.mutex);
    query.error = error;
    query.result = result;
    query.done = true;
    query.changed.notify_all();
}

}  // namespace

struct Resolver::Impl {
    ub_ctx* context = nullptr;
    std::chrono::milliseconds timeout{};
    unsigned free_slots = 0;
    std::mutex mutex;
    std::condition_variable slot_freed;
    os::Fd stop;
    std::thread pump;

    using Question = std::pair<std::string, Type>;  // name in lower case
    struct Kept {
        RawAnswer answer;
        Deadline until;
    };
    std::size_t keep_answers = 0;
    std::mutex kept_mutex;
    std::map<Question, Kept> kept;

    ~Impl() {
        if (pump.joinable()) {
            (void)::eventfd_write(stop.get(), 1);
            pump.join();
        }
        if (context) ub_ctx_delete(context);
    }

    Status configure(const Options& options);
    void run();
    Result<RawAnswer> ask(std::string_view name, Type type, Deadline latest = Deadline::max());
    std::optional<RawAnswer> find_kept(const Question& question, Deadline now);
    void keep(Question question, const RawAnswer& answer, Deadline now);
    bool take_slot(std::chrono::steady_clock::time_point deadline);
    void give_slot();
};

Status Resolver::Impl::configure(const Options& options) {
    context = ub_ctx_create();
    if (!context) return fail(Errc::Temporary, "cannot create a resolver");
    const auto set = [&](const char* key, const char* value) -> Status {
        if (const int rc = ub_ctx_set_option(context, key, value); rc != 0) return fail(context_error(key, rc));
        return ok();
    };
    GK_CHECK(set("do-not-query-localhost:", "no"));
    // Reverse names of private networks are the servers' to answer; the built-in empty zones would hide them.
    GK_CHECK(set("unblock-lan-zones:", "yes"));
    GK_CHECK(set("insecure-lan-zones:", "yes"));
    if (options.servers.empty()) {
        (void)ub_ctx_resolvconf(context, nullptr);  // none there: the root servers are asked
    } else if (options.servers.size() != 1 || options.servers[0] != "recursive") {
        for (const auto& server : options.servers)
            if (const int rc = ub_ctx_set_fwd(context, unbound_address(server).c_str()); rc != 0)
                return fail(context_error(fmt::format("'{}'", server), rc));
    }
    for (const auto& [zone, servers] : options.stubs)
        for (const auto server : text::words(servers))
            if (const int rc = ub_ctx_set_stub(context, zone.c_str(), unbound_address(server).c_str(), 0); rc != 0)
                return fail(context_error(fmt::format("zone '{}', server '{}'", zone, server), rc));
    if (!options.trust_anchor_file.empty()) {
        if (::access(options.trust_anchor_file.c_str(), R_OK) != 0)
            return fail(Errc::Config,
                        fmt::format("resolver: cannot read trust anchor file '{}'", options.trust_anchor_file));
        if (const int rc = ub_ctx_add_ta_file(context, options.trust_anchor_file.c_str()); rc != 0)
            return fail(context_error(options.trust_anchor_file, rc));
    }
    if (const int rc = ub_ctx_async(context, 1); rc != 0) return fail(context_error("thread", rc));
    // These calls end the configuration, so they come last: no option takes effect after them.
    for (const char* zone : {"test.", "localhost."}) (void)ub_ctx_zone_remove(context, zone);
    for (const auto& [zone, servers] : options.stubs) (void)ub_ctx_zone_remove(context, zone.c_str());

    timeout = options.timeout;
    keep_answers = options.keep_answers;
    free_slots = std::max(1u, options.max_in_flight);
    stop = os::Fd(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return fail_errno("cannot create an event descriptor");
    pump = std::thread([this] { run(); });
    return ok();
}

void Resolver::Impl::run() {
    pollfd fds[2] = {{ub_fd(context), POLLIN, 0}, {stop.get(), POLLIN, 0}};
    for (;;) {
        if (::poll(fds, 2, -1) < 0) continue;
        if (fds[1].revents) return;
        if (fds[0].revents) ub_process(context);
    }
}

bool Resolver::Impl::take_slot(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex);
    if (!slot_freed.wait_until(lock, deadline, [&] { return free_slots > 0; })) return false;
    --free_slots;
    return true;
}

void Resolver::Impl::give_slot() {
    {
        const std::lock_guard lock(mutex);
        ++free_slots;
    }
    slot_freed.notify_one();
}

std::optional<RawAnswer> Resolver::Impl::find_kept(const Question& question, Deadline now) {
    if (keep_answers == 0) return std::nullopt;
    const std::lock_guard lock(kept_mutex);
    const auto found = kept.find(question);
    if (found == kept.end()) return std::nullopt;
    if (found->second.until > now) return found->second.answer;
    kept.erase(found);
    return std::nullopt;
}

void Resolver::Impl::keep(Question question, const RawAnswer& answer, Deadline now) {
    if (keep_answers == 0 || answer.bogus || answer.ttl_s == 0) return;
    const auto until = now + std::min(std::chrono::seconds(answer.ttl_s), kKeepAnswers);
    const std::lock_guard lock(kept_mutex);
    // Full within a minute: most of what is there will not be asked for again.
    if (kept.size() >= keep_answers) kept.clear();
    kept.insert_or_assign(std::move(question), Kept{answer, until});
}

Result<RawAnswer> Resolver::Impl::ask(std::string_view name, Type type, Deadline latest) {
    if (name.ends_with('.')) name.remove_suffix(1);
    if (!is_plain_name(name))
        return fail(Errc::BadInput, fmt::format("'{}' is not a domain name", text::printable(name, 80)));
    const auto begun = std::chrono::steady_clock::now();
    const auto deadline = std::min(begun + timeout, latest);
    const auto timed_out = [&] {
        const auto waited = deadline <= begun ? std::chrono::milliseconds(0)  // however long ago it was
                                              : std::chrono::duration_cast<std::chrono::milliseconds>(deadline - begun);
        return fail(Errc::Timeout, fmt::format("no DNS answer for {} within {} ms", name, waited.count()));
    };
    Question question{text::lower(name), type};
    if (auto known = find_kept(question, begun)) return std::move(*known);
    if (deadline <= begun) return timed_out();
    if (!take_slot(deadline)) return timed_out();
    struct Slot {
        Impl& impl;
        ~Slot() { impl.give_slot(); }
    } const slot{*this};

    auto query = std::make_shared<Query>();
    auto* for_callback = new std::shared_ptr<Query>(query);
    int async_id = 0;
    if (const int rc = ub_resolve_async(context, std::string(name).c_str(), static_cast<int>(type), kClassIn,
                                        for_callback, on_answer, &async_id);
        rc != 0) {
        delete for_callback;
        return fail(Errc::Temporary, fmt::format("cannot ask for {}: {}", name, ub_strerror(rc)));
    }
    std::unique_lock lock(query->mutex);
    if (!query->changed.wait_until(lock, deadline, [&] { return query->done; })) {
        lock.unlock();
        // 0: the callback will not come any more. Otherwise it is on its way and frees its share itself.
        if (ub_cancel(context, async_id) == 0) delete for_callback;
        return timed_out();
    }
    if (query->error != 0 || !query->result)
        return fail(Errc::Temporary, fmt::format("DNS lookup of {} failed: {}", name, ub_strerror(query->error)));
    const ub_result& result = *query->result;
    RawAnswer answer;
    answer.bogus = result.bogus != 0;
    if (answer.bogus) answer.why_bogus = result.why_bogus ? result.why_bogus : "bogus";
    if (!answer.bogus && result.rcode != 0 && result.rcode != kNxdomain)
        return fail(Errc::Temporary, result.rcode == kServfail
                                         ? fmt::format("DNS servers failed for {} (SERVFAIL)", name)
                                         : fmt::format("DNS lookup of {} failed (rcode {})", name, result.rcode));
    answer.canonical = text::lower(result.canonname && *result.canonname ? std::string_view(result.canonname) : name);
    if (answer.canonical.size() > 1 && answer.canonical.ends_with('.')) answer.canonical.pop_back();
    answer.security = result.secure ? Security::Secure : Security::Insecure;
    answer.ttl_s = result.ttl > 0 ? static_cast<std::uint32_t>(result.ttl) : 0;
    answer.existence = result.nxdomain ? Existence::NoDomain : Existence::NoData;
    if (result.havedata && result.data) {
        answer.existence = Existence::Found;
        for (int i = 0; result.data[i] && i < 256; ++i)
            answer.rdata.emplace_back(result.data[i], static_cast<std::size_t>(result.len[i]));
    }
    keep(std::move(question), answer, begun);
    return answer;
}

namespace {

// Records that cannot be read are left out; a name with none left has no data.
template <class Record, class Parse>
Result<Answer<Record>> convert(Result<RawAnswer> raw, Parse parse) {
    if (!raw) return fail(std::move(raw).error());
    if (raw->bogus)
        return fail(Errc::Temporary, fmt::format("{}{} failed: {}", kBogus, raw->canonical, raw->why_bogus));
    Answer<Record> answer{raw->existence, raw->security, {}, raw->ttl_s, std::move(raw->canonical)};
    for (const auto& rdata : raw->rdata)
        if (auto record = parse(std::string_view(rdata))) answer.records.push_back(std::move(*record));
    if (answer.existence == Existence::Found && answer.records.empty()) answer.existence = Existence::NoData;
    return answer;
}

Result<std::string> format_ip(int family, std::size_t size, std::string_view rdata) {
    char buffer[INET6_ADDRSTRLEN];
    if (rdata.size() != size || !inet_ntop(family, rdata.data(), buffer, sizeof buffer))
        return fail(Errc::BadInput, "address record of a wrong size");
    return std::string(buffer);
}

}  // namespace

Resolver::Resolver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::create(const Options& options) {
    auto impl = std::make_unique<Impl>();
    GK_CHECK(impl->configure(options));
    return std::unique_ptr<Resolver>(new Resolver(std::move(impl)));
}

Result<Answer<Mx>> Resolver::mx(std::string_view name, Deadline latest) {
    auto answer = convert<Mx>(impl_->ask(name, Type::Mx, latest), parse_mx);
    if (answer)
        std::stable_sort(answer->records.begin(), answer->records.end(),
                         [](const Mx& x, const Mx& y) { return x.preference < y.preference; });
    return answer;
}

Result<Answer<std::string>> Resolver::a(std::string_view name, Deadline latest) {
    return convert<std::string>(impl_->ask(name, Type::A, latest),
                                [](std::string_view r) { return format_ip(AF_INET, 4, r); });
}

Result<Answer<std::string>> Resolver::aaaa(std::string_view name, Deadline latest) {
    return convert<std::string>(impl_->ask(name, Type::Aaaa, latest),
                                [](std::string_view r) { return format_ip(AF_INET6, 16, r); });
}

Result<Answer<std::string>> Resolver::txt(std::string_view name, Deadline latest) {
    return convert<std::string>(impl_->ask(name, Type::Txt, latest), parse_txt);
}

Result<Answer<std::string>> Resolver::ptr(std::string_view ip, Deadline latest) {
    GK_TRY(const std::string name, reverse_name(ip));
    return convert<std::string>(impl_->ask(name, Type::Ptr, latest), [](std::string_view r) {
        std::size_t offset = 0;
        return parse_name(r, offset);
    });
}

Result<Answer<Tlsa>> Resolver::tlsa(std::string_view name) {
    return convert<Tlsa>(impl_->ask(name, Type::Tlsa), parse_tlsa);
}

Result<RawAnswer> Resolver::query(std::string_view name, Type type) { return impl_->ask(name, type); }

Result<Answer<std::string>> Resolver::cname(std::string_view name) {
    return convert<std::string>(impl_->ask(name, Type::Cname), [](std::string_view r) {
        std::size_t offset = 0;
        return parse_name(r, offset);
    });
}

bool is_bogus(const Error& error) noexcept { return error.text.find(kBogus) != std::string::npos; }

}  // namespace gk::dns
