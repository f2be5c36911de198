{{- define "milesync.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "milesync.selector" -}}
app.kubernetes.io/name: milesync
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "milesync.labels" -}}
{{ include "milesync.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* The pod of a component: a dict with root, component and args, the words after "milesync". */}}
{{- define "milesync.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
containers:
  - name: milesync
    image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{ toJson .args }}
    env:
      - name: MILESYNC_DATABASE
{{- if .root.Values.database.urlSecret }}
        valueFrom:
          secretKeyRef:
            name: {{ .root.Values.database.urlSecret | quote }}
            key: {{ .root.Values.database.urlKey | quote }}
{{- else }}
        value: sqlite:////data/milesync.db
{{- end }}
    envFrom:
      - secretRef:
          name: {{ .root.Values.tokensSecret | quote }}
{{- if eq .component "worker" }}
    ports:
      - name: metrics
        containerPort: 9464
{{- else if eq .component "serve" }}
    ports:
      - name: hooks
        containerPort: 8787
      - name: health
        containerPort: 8788
    readinessProbe:
      httpGet:
        path: /health
        port: health
    livenessProbe:
      tcpSocket:
        port: health
{{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    resources: {{ toJson .root.Values.resources }}
    volumeMounts:
      - name: config
        mountPath: /etc/milesync
        readOnly: true
      - name: tmp
        mountPath: /tmp
{{- if not .root.Values.database.urlSecret }}
      - name: data
        mountPath: /data
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "milesync.name" .root | quote }}
  - name: tmp
    emptyDir: {}
{{- if not .root.Values.database.urlSecret }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ include "milesync.name" .root | quote }}
{{- end }}
{{- end }}
