// Render a Helm chart with Go's own text/template, for tests on machines without Helm.
//
// go run chart_renderer.go CHART < {"Values": ..., "Release": ..., "Chart": ...}
//
// It has the functions that the chart uses, with Helm's meaning, and fails on any other.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func nindent(spaces int, text string) string {
	pad := strings.Repeat(" ", spaces)
	return "\n" + pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

func toJson(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSpace(out.String()), err
}

func dict(words ...any) map[string]any {
	made := map[string]any{}
	for i := 0; i+1 < len(words); i += 2 {
		made[words[i].(string)] = words[i+1]
	}
	return made
}

func main() {
	var values map[string]any
	check(json.NewDecoder(os.Stdin).Decode(&values))
	root := template.New("chart").Option("missingkey=error")
	root.Funcs(template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out bytes.Buffer
			err := root.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"default": func(other, given any) any {
			if truth, _ := template.IsTrue(given); truth {
				return given
			}
			return other
		},
		"trunc": func(length int, text string) string {
			if len(text) > length {
				return text[:length]
			}
			return text
		},
		"trimSuffix": func(end, text string) string { return strings.TrimSuffix(text, end) },
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"sha256sum":  func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
		"list":       func(words ...any) []any { return words },
		"dict":       dict, "nindent": nindent, "toJson": toJson,
	})
	files, err := filepath.Glob(filepath.Join(os.Args[1], "templates", "*"))
	check(err)
	sort.Strings(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(err)
		template.Must(root.New(filepath.Base(file)).Parse(string(text)))
	}
	for _, file := range files {
		var out bytes.Buffer
		if !strings.HasSuffix(file, ".yaml") {
			continue
		}
		check(root.ExecuteTemplate(&out, filepath.Base(file), values))
		if text := strings.TrimSpace(out.String()); text != "" {
			fmt.Printf("---\n# Source: milesync/templates/%s\n%s\n", filepath.Base(file), text)
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
