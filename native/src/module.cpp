// The Python face. Names are numbers here; `ssr.consensus.native` keeps what the caller calls them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <limits>

#include "drafter.hpp"

namespace nb = nanobind;

namespace {

std::vector<ssr::Token> tokens_of(nb::handle sequence) {
  std::vector<ssr::Token> tokens;
  for (nb::handle one : sequence) {
    std::int64_t token;
    if (!nb::try_cast(one, token) || token < std::numeric_limits<ssr::Token>::min() ||
        token > std::numeric_limits<ssr::Token>::max()) {
      throw nb::value_error("a token is no 32-bit integer");
    }
    tokens.push_back(static_cast<ssr::Token>(token));
  }
  return tokens;
}

std::vector<double> probabilities_of(nb::handle sequence) {
  std::vector<double> all;
  if (!sequence.is_none()) {
    for (nb::handle one : sequence) all.push_back(nb::cast<double>(one));
  }
  return all;
}

ssr::Settings settings_of(nb::handle one) {
  return {nb::cast<std::vector<int>>(one.attr("orders")), nb::cast<int>(one.attr("pool")),
          nb::cast<double>(one.attr("sharpness")),        nb::cast<double>(one.attr("alpha")),
          nb::cast<int>(one.attr("edits")),               nb::cast<double>(one.attr("own_weight")),
          nb::cast<double>(one.attr("history_weight")),   nb::cast<int>(one.attr("max_draft")),
          nb::cast<double>(one.attr("min_confidence")),   nb::cast<double>(one.attr("rest_below")),
          nb::cast<std::int64_t>(one.attr("group_tokens")), nb::cast<std::int64_t>(one.attr("history_tokens")),
          nb::cast<std::int64_t>(one.attr("total_tokens"))};
}

template <typename Values, typename Make>
nb::object tuple_of(const Values& values, Make make) {
  nb::object made = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(values.size())));
  if (!made.is_valid()) nb::raise_python_error();
  for (std::size_t i = 0; i < values.size(); ++i) {
    PyTuple_SetItem(made.ptr(), static_cast<Py_ssize_t>(i), make(values[i]));
  }
  return made;
}

/// A drafter, and the `DraftSource` members in the order of ssr::Source.
class PythonDrafter {
 public:
  PythonDrafter(nb::handle settings, nb::tuple sources) : drafter_(settings_of(settings)), sources_(std::move(sources)) {}

  void start(ssr::Name sample, ssr::Name group, ssr::Name tenant, nb::handle prompt, std::size_t known) {
    const auto tokens = tokens_of(prompt);
    nb::gil_scoped_release released;
    drafter_.start(sample, group, tenant, tokens, known);
  }

  void add(ssr::Name sample, nb::handle written, nb::handle reported) {
    const auto tokens = tokens_of(written);
    const auto probabilities = probabilities_of(reported);
    nb::gil_scoped_release released;
    drafter_.add(sample, tokens.data(), tokens.size(), reported.is_none() ? nullptr : probabilities.data());
  }

  nb::tuple draft(ssr::Name sample, int most, double least) { return shown(drafter_.draft(sample, most, least)); }

  /// `rows` are (sample, tokens, most, probabilities or None) each.
  nb::list run_pass(nb::sequence rows, std::int64_t budget, double least) {
    std::vector<ssr::Row> all;
    for (nb::handle row : rows) {
      all.push_back({nb::cast<ssr::Name>(row[0]), tokens_of(row[1]), probabilities_of(row[3]), nb::cast<int>(row[2])});
    }
    std::vector<ssr::Draft> drafts;
    {
      nb::gil_scoped_release released;
      drafts = drafter_.pass(all, budget, least);
    }
    nb::list shown_drafts;
    for (const auto& draft : drafts) shown_drafts.append(shown(draft));
    return shown_drafts;
  }

  void finish(ssr::Name sample) { drafter_.finish(sample); }
  void remove(ssr::Name sample) { drafter_.remove(sample); }
  void end_group(ssr::Name group) {
    nb::gil_scoped_release released;
    drafter_.end_group(group);
  }
  std::int64_t tokens() const { return drafter_.tokens(); }
  bool has_forgotten() const { return drafter_.has_forgotten(); }
  nb::tuple take_forgotten() {
    const auto forgotten = drafter_.take_forgotten();
    return nb::make_tuple(forgotten.samples, forgotten.groups);
  }

 private:
  nb::tuple shown(const ssr::Draft& draft) const {
    if (draft.tokens.empty()) return nb::tuple();
    return nb::make_tuple(tuple_of(draft.tokens, [](ssr::Token one) { return PyLong_FromLong(one); }),
                          tuple_of(draft.confidences, [](double one) { return PyFloat_FromDouble(one); }),
                          tuple_of(draft.sources, [this](ssr::Source one) {
                            return nb::object(sources_[static_cast<std::size_t>(one)]).release().ptr();
                          }));
  }

  ssr::Drafter drafter_;
  nb::tuple sources_;
};

}  // namespace

NB_MODULE(_core, module) {
  module.doc() = "The core of ssr.consensus. Not thread-safe: one call at a time for each drafter.";
  nb::class_<PythonDrafter>(module, "Drafter")
      .def(nb::init<nb::handle, nb::tuple>(), nb::arg("settings"), nb::arg("sources"))
      .def("start", &PythonDrafter::start)
      .def("add", &PythonDrafter::add, nb::arg("sample"), nb::arg("tokens"), nb::arg("probabilities").none())
      .def("draft", &PythonDrafter::draft)
      .def("run_pass", &PythonDrafter::run_pass)
      .def("finish", &PythonDrafter::finish)
      .def("remove", &PythonDrafter::remove)
      .def("end_group", &PythonDrafter::end_group)
      .def_prop_ro("tokens", &PythonDrafter::tokens)
      .def_prop_ro("has_forgotten", &PythonDrafter::has_forgotten)
      .def("take_forgotten", &PythonDrafter::take_forgotten);
}
