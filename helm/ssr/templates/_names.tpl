{{/* Names, labels, ports and images. A component is orchestrator, selector, drafter, verifier, gateway, autoscaler,
engine-draft, engine-target, engine-selector, redis, shell, test or test-gateway; what belongs to none of them is named after
what it is. */}}

{{/* The start of all names; 40 characters leave room for the longest ending. */}}
{{- define "ssr.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selectors select by; it may never change. Of (list $ component). */}}
{{- define "ssr.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object. The user's go first: they cannot replace those of selectors. Of (list $ component), or
(list $ component labels) for an object that has more of its own. */}}
{{- define "ssr.labels" -}}
{{- $root := index . 0 -}}
{{- $own := ternary (last .) dict (gt (len .) 2) -}}
{{- with omit (merge dict $own $root.Values.labels) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/part-of" "helm.sh/chart" }}
{{- toYaml . }}
{{ end -}}
{{ include "ssr.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ssr
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Labels of a pod: without versions, so that a new chart does not restart pods that have not changed otherwise. Of
(list $ component values). */}}
{{- define "ssr.podLabels" -}}
{{- $root := index . 0 -}}
{{- with omit (merge (deepCopy (index . 2).podLabels) $root.Values.labels) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/part-of" }}
{{- toYaml . }}
{{ end -}}
{{ include "ssr.selectorLabels" . }}
app.kubernetes.io/part-of: ssr
{{- end -}}

{{/* metadata of an object. Of (list $ component), (list $ component ending) or (list $ component ending labels). */}}
{{- define "ssr.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "ssr.fullname" $root }}-{{ index . 1 }}{{ if gt (len .) 2 }}{{ with index . 2 }}-{{ . }}{{ end }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "ssr.labels" (concat (list $root (index . 1)) (slice . (min 3 (len .)))) | nindent 2 }}
{{- end -}}

{{/* The image of SSR's own services. */}}
{{- define "ssr.image" -}}
{{- $image := .Values.image -}}
{{- $name := printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- include "ssr.imageFrom" (list . (ternary (printf "%s@%s" $image.repository $image.digest) $name (ne $image.digest ""))) -}}
{{- end -}}

{{/* The image of a service. Of (list $ service). */}}
{{- define "ssr.serviceImage" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{- if ne (index . 1) "autoscaler" -}}
{{- include "ssr.image" $root -}}
{{- else -}}
{{- $name := printf "%s-autoscaler:%s" $image.repository (default $root.Chart.AppVersion $image.tag) -}}
{{- include "ssr.imageFrom" (list $root (default $name $image.autoscaler)) -}}
{{- end -}}
{{- end -}}

{{/* An image from where it is to come from: imageRegistry takes the place of its own registry. Of (list $ image). */}}
{{- define "ssr.imageFrom" -}}
{{- $registry := (index . 0).Values.imageRegistry -}}
{{- $image := index . 1 -}}
{{- if $registry -}}
{{- $host := regexFind "^(localhost|[^/]*[.:][^/]*)/" $image -}}
{{ $registry }}/{{ trimPrefix $host $image }}
{{- else -}}
{{ $image }}
{{- end -}}
{{- end -}}

{{/* The components that run `ssr serve NAME`, comma-separated. */}}
{{- define "ssr.services" -}}
{{- $names := splitList "," (include "ssr.callable" .) -}}
{{- join "," (ternary (append $names "autoscaler") $names (eq .Values.autoscaling.kind "builtin")) -}}
{{- end -}}

{{/* Those of them that are called, and so have certificates. */}}
{{- define "ssr.callable" -}}
{{- $names := list "orchestrator" "selector" "drafter" "verifier" -}}
{{- join "," (ternary (append $names "gateway") $names .Values.gateway.enabled) -}}
{{- end -}}

{{/* The values of a service's pods, as YAML. Of (list $ service). */}}
{{- define "ssr.serviceValues" -}}
{{- $values := (index . 0).Values -}}
{{- ternary $values.autoscaling.builtin (get $values.services (index . 1)) (eq (index . 1) "autoscaler") | toYaml -}}
{{- end -}}

{{/* The port that a service listens on. */}}
{{- define "ssr.port" -}}
{{- get (dict "orchestrator" 7600 "selector" 7601 "drafter" 7602 "verifier" 7603 "autoscaler" 7604 "gateway" 7680) . -}}
{{- end -}}

{{/* The port for Prometheus, of all services. */}}
{{- define "ssr.metricsPort" -}}
9464
{{- end -}}

{{/* The port that reports health alone: without TLS, because the kubelet's gRPC probes know none, and at once, however
busy the service is. */}}
{{- define "ssr.healthPort" -}}
7609
{{- end -}}

{{/* "true" for services that have that port; health is all that the autoscaler serves. Of (list $ service). */}}
{{- define "ssr.hasHealthPort" -}}
{{- ne (index . 1) "autoscaler" -}}
{{- end -}}

{{/* "engine-draft": the component of the engine that a service asks; "" for the orchestrator and the gateway. Of (list $ service). */}}
{{- define "ssr.engineOf" -}}
{{- $selection := ternary "target" "selector" (eq (index . 0).Values.engines.selector.kind "target") -}}
{{- get (dict "drafter" "draft" "verifier" "target" "selector" $selection) (index . 1) -}}
{{- end -}}
