// SPDX-License-Identifier: MIT
#include "common/smtp/host.hpp"

#include <unistd.h>
#include <exception>

#include "common/auth/mechanisms.hpp"
#include "common/auth/submissions.hpp"
#include "common/base/log.hpp"
#include "common/os/file.hpp"
#include "common/smtp/connection.hpp"

namespace gk::smtp {
namespace {

constexpr milliseconds kLmtpTimeout{600'000};  // RFC 5321, 4.5.3.2.6: the answer to the end of the content
constexpr milliseconds kRefusalTimeout{1000};

milliseconds duration(const config::Config& config, std::string_view key) {
    return std::chrono::seconds(config.duration_s(key));
}
std::size_t count(const config::Config& config, std::string_view key) {
    return static_cast<std::size_t>(config.integer(key));
}

std::string hostname_of(const config::Config& config) {
    if (!config.string("server.hostname").empty()) return config.string("server.hostname");
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

SessionSettings session_settings(const config::Config& config, Service service, bool tls_available) {
    SessionSettings settings;
    settings.service = service;
    settings.hostname = hostname_of(config);
    settings.limits.max_size = config.size("smtp.max_size");
    settings.limits.max_recipients = count(config, "smtp.max_recipients");
    settings.limits.max_messages = count(config, "smtp.max_messages");
    settings.limits.max_errors = count(config, "smtp.max_errors");
    settings.limits.max_auth_failures = count(config, "smtp.max_auth_failures");
    settings.limits.max_received = count(config, "smtp.max_received");
    settings.tls_available = tls_available;
    if (service == Service::Mx) return settings;
    settings.most_hold = std::chrono::seconds(config.duration_s("smtp.future_release_max"));
    if (service == Service::Local) return settings;
    settings.mechanisms = auth::mechanisms(config, true, false);
    settings.mechanisms_cb = auth::mechanisms(config, true, true);
    // RFC 8314, 4.1: STARTTLS before AUTH; in clear only where there is no TLS, or where it was asked for.
    if (!tls_available || config.boolean("auth.plaintext_without_tls"))
        settings.mechanisms_clear = auth::mechanisms(config, false, false);
    return settings;
}

}  // namespace

Result<std::shared_ptr<const HostSettings>> HostSettings::from(const config::Config& config, bool tls_available) {
    auto settings = std::make_shared<HostSettings>();
    settings->mx = session_settings(config, Service::Mx, tls_available);
    settings->submission = session_settings(config, Service::Submission, tls_available);
    settings->submissions = session_settings(config, Service::Submissions, tls_available);
    settings->local = session_settings(config, Service::Local, false);
    GK_TRY(settings->local_senders, LocalSenders::from(config.table("sendmail.senders")));
    settings->command_timeout = duration(config, "smtp.command_timeout");
    settings->pressure_timeout = duration(config, "smtp.pressure_timeout");
    settings->data_timeout = duration(config, "smtp.data_timeout");
    settings->data_deadline = duration(config, "smtp.data_deadline");
    settings->min_rate = config.size("smtp.min_rate");
    settings->memory = config.size("smtp.memory");
    settings->memory_per_message = config.size("smtp.memory_per_message");
    GK_TRY(const auto limits, auth::SubmissionLimits::from(config));
    settings->count_submissions = limits.any();
    settings->check_from = config.boolean("smtp.check_from");
    auto networks = net::Networks::parse(config.strings("smtp.relay_networks"));
    if (!networks) return fail(networks.error().in("smtp.relay_networks"));
    settings->relay_networks = std::move(*networks);
    GK_TRY(settings->relay_domains, RelayDomains::parse(config.table("smtp.relay_domains")));
    GK_TRY(settings->gate, mailauth::gate::Options::from(config));
    GK_TRY(settings->policy, policy::Options::from(config, settings->mx.hostname));
    // Nobody would ever read, or remove, what is counted for reports that are not sent.
    if (!config.string("reports.sender").empty() && config.boolean("reports.dmarc"))
        settings->reports = config.paths().spool + "/reports";
    return settings;
}

const SessionSettings& HostSettings::of(Service service) const noexcept {
    switch (service) {
        case Service::Submission: return submission;
        case Service::Submissions: return submissions;
        case Service::Local: return local;
        default: return mx;
    }
}

std::optional<Service> service_named(std::string_view listener) noexcept {
    if (listener == "smtp") return Service::Mx;
    if (listener == "submission") return Service::Submission;
    if (listener == "submissions") return Service::Submissions;
    if (listener == "submit") return Service::Local;
    return std::nullopt;
}

Host::Host(const config::Config& config, std::shared_ptr<const HostSettings> settings,
           std::shared_ptr<tls::ServerContext> tls)
    : settings_(std::move(settings)),
      tls_(std::move(tls)),
      spool_(config.paths().spool),
      lmtp_(config.paths().run + "/lmtp.sock", settings_->mx.hostname, kLmtpTimeout, 256),
      auth_(config.paths().run + "/auth.sock"),
      memory_(settings_->memory),
      gate_lists_(config.paths().spool + "/gate/lists") {
    const std::string folder = config.paths().spool + "/gate";
    (void)os::make_directories(folder, 0750);  // where it is not there yet, and may be made
    auto state = policy::State::open(folder + "/state", settings_->policy->state);
    if (!state) {
        log::Event("gate.state_lost", log::Level::Error).field("error", state.error().text);
        state = policy::State::open({}, settings_->policy->state, true);  // in memory alone
    }
    gate_state_ = std::move(*state);
}

void Host::set_settings(std::shared_ptr<const HostSettings> settings) {
    std::lock_guard lock(mutex_);
    memory_.resize(settings_->memory, settings->memory);
    gate_state_->set_limits(settings->policy->state);
    settings_ = std::move(settings);
}

std::shared_ptr<const HostSettings> Host::settings() const {
    std::lock_guard lock(mutex_);
    return settings_;
}

void Host::set_dns(std::shared_ptr<const MakeDnsSource> dns) {
    std::lock_guard lock(mutex_);
    dns_ = std::move(dns);
}

std::shared_ptr<const MakeDnsSource> Host::dns() const {
    std::lock_guard lock(mutex_);
    return dns_;
}

void Host::serve(net::Accepted accepted) {
    const auto service = service_named(accepted.listener->name);
    if (!service) return;
    const std::string peer = accepted.peer.to_string();
    try {
        Connection(*this, settings(), *service, std::move(accepted)).run();
    } catch (const std::exception& error) {  // memory exhausted, or a bug: this connection ends, the others go on
        log::Event("connection.failed", log::Level::Error).field("peer", peer).field("error", error.what());
    }
}

void Host::refuse(net::Accepted accepted, net::Refusal refusal) {
    const bool all = refusal == net::Refusal::TooManyConnections;
    log::Event("connection.refused", log::Level::Warning)
        .field("peer", accepted.peer.to_string())
        .field("reason", all ? "too many connections" : "too many connections from this address");
    // On 465 this text comes before TLS; the client sees a broken handshake either way.
    const auto greeting = "421 4.7.0 " + settings()->mx.hostname +
                          (all ? " too many connections\r\n" : " too many connections from your address\r\n");
    (void)accepted.stream->write_all(greeting, kRefusalTimeout);
}

}  // namespace gk::smtp
