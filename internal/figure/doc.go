// Package figure draws figures as pictures: letters, lines, charts and maps of
// numbers laid over pictures. What is drawn depends on what is given alone.
package figure
